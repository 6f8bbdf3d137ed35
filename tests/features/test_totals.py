"""Totals by place are what grouping by key gives, whatever the codes are and however rows are cut into batches."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.lake.surrogate_keys import SKU_CODE, assign_sku_codes, join_sku_codes
from data.lake.tables import Tables
from features import arithmetic, reductions
from features.definition import Events, Feature
from features.groups.certificates import REUSES
from features.groups.reviews import READ
from features.registry import CATALOGUE
from features.snapshot.entities import Morning
from features.snapshot.matrices import laid
from tests.features.small_world import AS_OF, REFERENCE, SmallWorld, random_rows

FEATURES = [feature for feature in CATALOGUE if isinstance(feature.source, Events)]


def coded(tables: Tables, mixed_by: int) -> Tables:
    """The tables as a lake gives them whose SKUs have come one after the other."""
    skus = assign_sku_codes(tables["skus"])
    skus = skus.mutate(**{SKU_CODE: ((skus[SKU_CODE] * mixed_by) % 11).cast("int32")})
    events = {
        name: join_sku_codes(tables[name], skus) for name in ("orders", "returns", "lab_tests", "incidents", READ)
    }
    return replace(tables, given={**tables.given, "skus": skus, **events})


def matrices(tables: Tables, features: list[Feature]) -> dict[str, np.ndarray]:
    """The features of every entity that has any."""
    with laid(Morning(AS_OF, tables, REFERENCE), features) as catalogue:
        return {entity: catalogue.matrix(places, [f for f in features if f.entity == entity])
                for entity, places in catalogue.places.items()}  # fmt: skip


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), mixed_by=st.integers(1, 10), size=st.integers(2, 12))
def test_whatever_the_codes_the_features_are_the_same(world: SmallWorld, seed: int, mixed_by: int, size: int) -> None:
    """Codes are names: another numbering, or other batches and blocks, changes nothing to the last bit."""
    world.features(random_rows(seed), [])
    expected = matrices(world.tables, FEATURES)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reductions, "ROWS_PER_BATCH", size)
        patched.setattr(arithmetic, "PLACES_PER_BLOCK", size)
        found = matrices(coded(world.tables, mixed_by), FEATURES)
    assert found.keys() == expected.keys() == {"sku", "supplier", "factory", "category", "title"}
    for entity, matrix in expected.items():
        np.testing.assert_array_equal(found[entity], matrix)
    assert np.unique(expected["sku"]).size > 10


def test_what_cannot_be_added_up_is_left_to_the_backend(world: SmallWorld) -> None:
    """Neither different texts nor a root of a sum are known to the totals; the answer is the grouped one."""
    world.features(random_rows(2), [])
    (days,) = [feature for feature in CATALOGUE if feature.name == "sku_sale_days_365"]
    root = replace(days, name="root", value=lambda seen, reference: days.value(seen, reference).sqrt())
    with laid(Morning(AS_OF, world.tables, REFERENCE), [root, days]) as catalogue:
        assert not catalogue.totals
        found = catalogue.matrix(catalogue.places["sku"], [root, days])
    np.testing.assert_array_equal(found[:, 0], np.sqrt(found[:, 1]))
    assert found[:, 1].max() > 0
    reuse = [feature for feature in CATALOGUE if feature.source is REUSES]
    with laid(Morning(AS_OF, world.tables, REFERENCE), reuse) as catalogue:
        assert not catalogue.totals
        assert catalogue.matrix(catalogue.places["sku"], reuse).max() > 0
