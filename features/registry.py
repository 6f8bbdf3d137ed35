"""Feature registry: every feature in its fixed order, from which reasons, constraints, docs and version derive."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from data.own_features import OwnFeature
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
from features.groups.own import own_feature

if TYPE_CHECKING:
    from features.fitted_tables import FittedTables

__all__ = ["BY_NAME", "CATALOGUE", "FEATURE_NAMES", "Entity", "Feature", "FeatureSet", "Group", "Unit", "features_of"]

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


@dataclass(frozen=True)
class FeatureSet:
    """The features of one model in their fixed order: those of the registry, then the marketplace's own."""

    features: tuple[Feature, ...] = CATALOGUE

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns of a feature matrix."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def by_name(self) -> Mapping[str, Feature]:
        """Each feature by its name."""
        return {feature.name: feature for feature in self.features}

    @cached_property
    def directions(self) -> tuple[int, ...]:
        """The expected effect of each feature on failing: the monotone constraints."""
        return tuple(feature.direction for feature in self.features)

    def of_entity(self, entity: Entity) -> tuple[Feature, ...]:
        """The features of one kind of entity, in order."""
        return tuple(feature for feature in self.features if feature.entity == entity)


def features_of(reference: "FittedTables") -> FeatureSet:
    """The features that are computed with these fitted tables."""
    return _feature_set(reference.own)


@lru_cache(maxsize=16)
def _feature_set(own: tuple[OwnFeature, ...]) -> FeatureSet:
    return FeatureSet(CATALOGUE + tuple(map(own_feature, own)))
