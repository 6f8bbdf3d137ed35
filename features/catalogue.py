"""Every feature of the house, in its fixed order; reasons, monotone constraints, docs and version derive from it."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache

from features import (
    audits,
    category,
    certificates,
    exposure,
    listing,
    returns,
    reviews,
    safety_record,
    seller,
    supplier_history,
)
from features.feature import Entity, Feature, Group, Unit

__all__ = ["BY_NAME", "CATALOGUE", "FEATURE_NAMES", "Entity", "Feature", "Group", "Unit", "feature_version"]

CATALOGUE: tuple[Feature, ...] = (
    *supplier_history.FEATURES,
    *safety_record.FEATURES,
    *seller.FEATURES,
    *certificates.FEATURES,
    *audits.FEATURES,
    *returns.FEATURES,
    *reviews.FEATURES,
    *listing.FEATURES,
    *category.FEATURES,
    *exposure.FEATURES,
)
FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in CATALOGUE)
BY_NAME: Mapping[str, Feature] = {feature.name: feature for feature in CATALOGUE}


@cache
def feature_version() -> str:
    """The version of the features, `f-` and 12 hex digits.

    A digest of every declaration and of the SQL that all features compile to, so it changes when a word or an
    expression changes, and also when an upgrade of Ibis compiles the same expression differently.
    """
    from features.pipeline import compiled_sql

    declared = [(f.name, f.meaning, f.unit, f.group, f.entity, f.direction, f.sentence, f.missing) for f in CATALOGUE]
    text = json.dumps(declared) + compiled_sql()
    return "f-" + hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]
