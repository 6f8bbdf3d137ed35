"""The catalogue of one day, grouped, has the features that its rows would have in a spine of many days, joined."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.definition import KEYS
from features.registry import CATALOGUE, FEATURE_NAMES
from features.snapshot.entities import Morning
from features.snapshot.matrices import laid
from tests.features.small_world import AS_OF, REFERENCE, Rows, SmallWorld, random_rows, spine_of

LAW = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_grouped_is_joined(world: SmallWorld, rows: Rows, as_of: date) -> None:
    """Every feature of every SKU listed by the day is equal to the last bit, found through the places."""
    listed = {(row["sku_id"], row["market"]) for row in rows["skus"] if row["listed_on"] <= as_of}
    spine = sorted(key for key in spine_of(as_of) if key[:2] in listed)
    joined = world.features(rows, [*spine, *spine_of(as_of - timedelta(45))])[: len(spine)]
    with laid(Morning(as_of, world.tables, REFERENCE)) as catalogue:
        skus = catalogue.backend.to_pyarrow(catalogue.places["sku"].rows.order_by("sku_place")).to_pandas()
        assert list(zip(skus["sku_id"], skus["market"], strict=True)) == [key[:2] for key in spine]
        for entity in KEYS:
            features = [feature for feature in CATALOGUE if feature.entity == entity]
            matrix = catalogue.matrix(catalogue.places[entity], features)
            place = skus[f"{entity}_place"].fillna(-1).to_numpy(int)
            expected = joined[[feature.name for feature in features]].to_numpy(float)
            np.testing.assert_array_equal(matrix[place[place >= 0]], expected[place >= 0])
            unseen = [feature.name for feature in features if feature.source.needs]
            assert entity == "sku" or np.isnan(joined.loc[place < 0, unseen].to_numpy(float)).all()


@LAW
@given(seed=st.integers(0, 2**32 - 1), days=st.integers(-200, 60))
def test_one_day_is_like_many(world: SmallWorld, seed: int, days: int) -> None:
    """Whatever happened, and whatever became known after the day."""
    assert_grouped_is_joined(world, random_rows(seed), AS_OF + timedelta(days))


@pytest.mark.parametrize("absent", ["returns", "reviews"])
def test_one_day_is_like_many_where_a_table_is_absent(absent: str) -> None:
    """Features without their table are missing, the others complete."""
    assert_grouped_is_joined(SmallWorld(absent=[absent]), random_rows(5), AS_OF)


def test_nothing_but_the_listing_is_enough(world: SmallWorld) -> None:
    """Counts of nothing are 0 on one day too."""
    rows = {name: kept if name in ("suppliers", "skus") else [] for name, kept in random_rows(4).items()}
    assert_grouped_is_joined(world, rows, AS_OF)


def test_a_part_of_the_places_is_a_part_of_the_matrix(world: SmallWorld) -> None:
    """Computing a few SKUs at a time changes nothing."""
    rows = random_rows(6)
    world.features(rows, [])
    skus = [feature for feature in CATALOGUE if feature.entity == "sku"]
    with laid(Morning(AS_OF + timedelta(100), world.tables, REFERENCE)) as catalogue:
        places = catalogue.places["sku"]
        whole = catalogue.matrix(places, skus)
        parts = [catalogue.matrix(places.span(start, start + 3), skus) for start in range(0, places.stop, 3)]
    assert len(whole) == 8
    assert whole.shape[1] < len(FEATURE_NAMES)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
