"""Sums by code give what grouping by key gives, whatever the codes are and however the codes are cut into spans."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.codes import SKU_CODE, coded_events, coded_skus
from data.tables import Tables
from features import sums
from features.catalogue import CATALOGUE
from features.certificates import REUSES
from features.matrices import laid
from features.morning import Morning
from features.sales import ORDERS_OF_SKU, RETURNS_OF_SKU, RETURNS_OF_SUPPLIER
from features.sums import summed
from tests.features.small_world import AS_OF, REFERENCE, SmallWorld, random_rows

SALES = (ORDERS_OF_SKU, RETURNS_OF_SKU, RETURNS_OF_SUPPLIER)
FEATURES = [feature for feature in CATALOGUE if feature.source in SALES]


def coded(tables: Tables, mixed_by: int) -> Tables:
    """The tables as a lake gives them whose SKUs have come one after the other."""
    skus = coded_skus(tables["skus"])
    skus = skus.mutate(**{SKU_CODE: ((skus[SKU_CODE] * mixed_by) % 11).cast("int32")})
    events = {name: coded_events(tables[name], skus) for name in ("orders", "returns", "lab_tests", "incidents")}
    return replace(tables, given={**tables.given, "skus": skus, **events})


def matrices(tables: Tables) -> dict[str, np.ndarray]:
    """The features of sales of every SKU and supplier."""
    with laid(Morning(AS_OF, tables, REFERENCE), FEATURES) as catalogue:
        return {entity: catalogue.matrix(places, [f for f in FEATURES if f.entity == entity])
                for entity, places in catalogue.places.items()}  # fmt: skip


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), mixed_by=st.integers(1, 10), span=st.integers(2, 12))
def test_whatever_the_codes_the_features_are_the_same(world: SmallWorld, seed: int, mixed_by: int, span: int) -> None:
    """Codes are names: another numbering, or other spans of it, changes nothing to the last bit."""
    world.features(random_rows(seed), [])
    expected = matrices(world.tables)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sums, "CODES_PER_SPAN", span)
        found = matrices(coded(world.tables, mixed_by))
    assert found.keys() == expected.keys() == {"sku", "supplier"}
    for entity, matrix in expected.items():
        np.testing.assert_array_equal(found[entity], matrix)
    assert np.unique(expected["sku"]).size > 10


def test_what_does_not_follow_from_parts_is_refused(world: SmallWorld) -> None:
    """The number of different SKUs is not the sum of those of each SKU."""
    world.features(random_rows(2), [])
    tables = coded(world.tables, 1)
    morning = Morning(AS_OF, tables, REFERENCE)
    reuse = [feature for feature in CATALOGUE if feature.source is REUSES]
    events = tables["orders"].mutate(other_sku_id=tables["orders"].sku_id)
    with (
        laid(morning, reuse + FEATURES) as catalogue,
        summed(events, morning, reuse, 11) as found,
        pytest.raises(TypeError, match="CountDistinct of parts does not tell that of the whole"),
    ):
        found.of_owners(catalogue.places["supplier"], catalogue.listing, reuse)
