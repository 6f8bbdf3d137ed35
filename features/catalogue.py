"""Every feature of the house, in its fixed order; reasons, monotone constraints, docs and version derive from it."""

from collections.abc import Mapping

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

__all__ = ["BY_NAME", "CATALOGUE", "FEATURE_NAMES", "Entity", "Feature", "Group", "Unit"]

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
