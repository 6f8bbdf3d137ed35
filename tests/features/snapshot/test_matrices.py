"""The catalogue of one day, grouped, has the features that its rows would have in a spine of many days, joined."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.lake.surrogate_keys import SKU_CODE, assign_sku_codes, join_sku_codes
from data.lake.tables import Tables
from features.definition import KEYS
from features.groups.reviews import READ
from features.registry import CATALOGUE, FEATURE_NAMES
from features.snapshot.entities import SnapshotDate
from features.snapshot.matrices import catalogue_features
from tests.features.small_world import AS_OF, REFERENCE, Rows, SmallWorld, random_rows, spine_of

LAW = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_grouped_is_joined(world: SmallWorld, rows: Rows, as_of: date) -> None:
    """Every feature of every SKU listed by the day is equal to the last bit, found through the row numbers."""
    listed = {(row["sku_id"], row["market"]) for row in rows["skus"] if row["listed_on"] <= as_of}
    spine = sorted(key for key in spine_of(as_of) if key[:2] in listed)
    joined = world.features(rows, [*spine, *spine_of(as_of - timedelta(45))])[: len(spine)]
    with catalogue_features(SnapshotDate(as_of, world.tables, REFERENCE)) as catalogue:
        skus = catalogue.backend.to_pyarrow(catalogue.entities["sku"].rows.order_by("sku_row")).to_pandas()
        assert list(zip(skus["sku_id"], skus["market"], strict=True)) == [key[:2] for key in spine]
        for entity in KEYS:
            features = [feature for feature in CATALOGUE if feature.entity == entity]
            matrix = catalogue.matrix(catalogue.entities[entity], features)
            place = skus[f"{entity}_row"].fillna(-1).to_numpy(int)
            expected = joined[[feature.name for feature in features]].to_numpy(float)
            np.testing.assert_array_equal(matrix[place[place >= 0]], expected[place >= 0])
            unseen = [feature.name for feature in features if feature.source.needs]
            assert entity == "sku" or np.isnan(joined.loc[place < 0, unseen].to_numpy(float)).all()


@LAW
@given(seed=st.integers(0, 2**32 - 1), days=st.integers(-200, 60))
def test_one_day_is_like_many(world: SmallWorld, seed: int, days: int) -> None:
    """Whatever happened, and whatever became known after the day."""
    assert_grouped_is_joined(world, random_rows(seed), AS_OF + timedelta(days))


def test_one_day_is_like_many_where_reports_have_versions(world: SmallWorld) -> None:
    """The version known on the day counts on both ways."""
    rows = random_rows(11)
    second = [{**test, "version": 2, "result": "fail", "known_on": test["known_on"] + timedelta(9)}
              for test in rows["lab_tests"]]  # fmt: skip
    first = [{**test, "version": 1, "status": "final"} for test in rows["lab_tests"]]
    assert_grouped_is_joined(world, {**rows, "lab_tests": [*first, *second]}, AS_OF)


@pytest.mark.parametrize("absent", ["returns", "reviews"])
def test_one_day_is_like_many_where_a_table_is_absent(absent: str) -> None:
    """Features without their table are missing, the others complete."""
    assert_grouped_is_joined(SmallWorld(absent=[absent]), random_rows(5), AS_OF)


def test_nothing_but_the_listing_is_enough(world: SmallWorld) -> None:
    """Counts of nothing are 0 on one day too."""
    rows = {name: kept if name in ("suppliers", "skus") else [] for name, kept in random_rows(4).items()}
    assert_grouped_is_joined(world, rows, AS_OF)


def test_a_part_of_the_rows_is_a_part_of_the_matrix(world: SmallWorld) -> None:
    """Computing a few SKUs at a time changes nothing."""
    world.features(random_rows(6), [])
    skus = [feature for feature in CATALOGUE if feature.entity == "sku"]
    with catalogue_features(SnapshotDate(AS_OF + timedelta(100), world.tables, REFERENCE)) as catalogue:
        rows = catalogue.entities["sku"]
        whole = catalogue.matrix(rows, skus)
        parts = [catalogue.matrix(rows.span(start, start + 3), skus) for start in range(0, rows.stop, 3)]
    assert len(whole) == 8
    assert whole.shape[1] < len(FEATURE_NAMES)
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def coded(tables: Tables, mixed_by: int) -> Tables:
    """The tables as a lake gives them whose SKUs have come one after the other."""
    skus = assign_sku_codes(tables["skus"])
    skus = skus.mutate(**{SKU_CODE: ((skus[SKU_CODE] * mixed_by) % 11).cast("int32")})
    events = {
        name: join_sku_codes(tables[name], skus) for name in ("orders", "returns", "lab_tests", "incidents", READ)
    }
    return replace(tables, given={**tables.given, "skus": skus, **events})


def matrices(tables: Tables) -> dict[str, np.ndarray]:
    """All features of every kind of entity."""
    with catalogue_features(SnapshotDate(AS_OF, tables, REFERENCE)) as catalogue:
        return {entity: catalogue.matrix(rows, [feature for feature in CATALOGUE if feature.entity == entity])
                for entity, rows in catalogue.entities.items()}  # fmt: skip


@LAW
@given(seed=st.integers(0, 2**32 - 1), mixed_by=st.integers(1, 10))
def test_whatever_the_codes_the_features_are_the_same(world: SmallWorld, seed: int, mixed_by: int) -> None:
    """Codes are names: another numbering, or none, changes nothing to the last bit."""
    world.features(random_rows(seed), [])
    expected, found = matrices(world.tables), matrices(coded(world.tables, mixed_by))
    assert found.keys() == expected.keys() == set(KEYS)
    for entity, matrix in expected.items():
        np.testing.assert_array_equal(found[entity], matrix)
    assert np.unique(expected["sku"]).size > 10
