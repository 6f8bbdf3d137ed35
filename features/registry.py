"""Feature registry: every feature in its fixed order, from which reasons, constraints, docs and version derive."""

from collections.abc import Mapping

from features.definition import Entity, Feature, Group, Unit
from features.groups import (
    alerts,
    audits_and_seller,
    certificates,
    incidents_and_holds,
    lab_history,
    listing_and_category,
    reviews,
    sales_and_returns,
)

__all__ = ["BY_NAME", "CATALOGUE", "FEATURE_NAMES", "Entity", "Feature", "Group", "Unit"]

CATALOGUE: tuple[Feature, ...] = (
    *lab_history.FEATURES,
    *incidents_and_holds.FEATURES,
    *audits_and_seller.SELLER_FEATURES,
    *alerts.FEATURES,
    *certificates.FEATURES,
    *audits_and_seller.FEATURES,
    *sales_and_returns.FEATURES,
    *reviews.FEATURES,
    *listing_and_category.FEATURES,
    *listing_and_category.CATEGORY_FEATURES,
    *sales_and_returns.EXPOSURE_FEATURES,
)
FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in CATALOGUE)
BY_NAME: Mapping[str, Feature] = {feature.name: feature for feature in CATALOGUE}
