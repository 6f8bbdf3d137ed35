"""The laws of the as-of pipeline, over small random marketplaces."""

from datetime import date, timedelta

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.contract import NO_RESULT, TABLES
from data.lake.tables import tables_from_frames
from features.definition import KEYS
from features.fitted_tables import FittedTables
from features.point_in_time import entity_tables, feature_frame
from features.registry import BY_NAME, CATALOGUE, FEATURE_NAMES
from tests.features.small_world import AS_OF, REFERENCE, Row, Rows, SmallWorld, random_rows, spine_of, spine_table

SEEDS = st.integers(0, 2**32 - 1)
LAW = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
OPTIONAL_TABLES = [table.name for table in TABLES if not table.required]
GOLDEN = ["supplier_golden_gap", "supplier_given_fails"]


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Equal to the last bit, missing where missing."""
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def known_before(rows: Rows, day: date) -> Rows:
    """The world as it was known on the morning of `day`."""
    past = {name: [row for row in kept if row.get("known_on", date.min) < day] for name, kept in rows.items()}
    past["remediations"] = [
        row if (row["verified_on"] or date.max) < day else {**row, "verified_on": None, "effective": None}
        for row in past["remediations"]
    ]
    return past


@LAW
@given(seed=SEEDS)
def test_rows_known_on_or_after_as_of_change_nothing(world: SmallWorld, seed: int) -> None:
    """Neither pending tests nor late reports nor later verifications leave a trace."""
    rows, spine = random_rows(seed), spine_of(AS_OF)
    assert_same(world.features(rows, spine), world.features(known_before(rows, AS_OF), spine))


def test_a_row_known_the_day_before_as_of_is_seen_and_one_known_on_it_is_not(world: SmallWorld) -> None:
    """The as-of rule is strict, to the day."""
    rows = random_rows(1)
    rows["lab_tests"] = [{**rows["lab_tests"][0], "sku_id": "k0", "market": "EU", "result": "fail",
                          "origin": "customs", "happened_on": AS_OF - timedelta(9),
                          "known_on": AS_OF - timedelta(1)}]  # fmt: skip
    found = world.features(rows, [("k0", "EU", AS_OF - timedelta(1)), ("k0", "EU", AS_OF)])
    assert list(found["sku_fails_365"]) == [0, 1]


@LAW
@given(seed=SEEDS, picked=st.integers(0, 15))
def test_a_row_alone_equals_the_row_in_company(world: SmallWorld, seed: int, picked: int) -> None:
    """What other SKUs and other days are asked for does not matter."""
    rows, spine = random_rows(seed), spine_of(AS_OF, AS_OF - timedelta(50))
    together = world.features(rows, spine).iloc[[picked]].reset_index(drop=True)
    assert_same(world.features(rows, [spine[picked]]), together)


@LAW
@given(seed=SEEDS)
def test_the_order_of_input_rows_does_not_matter(world: SmallWorld, seed: int) -> None:
    """Shuffled tables give the same features to the last bit."""
    rows, spine, generator = random_rows(seed), spine_of(AS_OF), np.random.default_rng(seed)
    shuffled = {name: [kept[i] for i in generator.permutation(len(kept))] for name, kept in rows.items()}
    assert_same(world.features(shuffled, spine), world.features(rows, spine))


@LAW
@given(seed=SEEDS)
def test_supplier_provided_tests_touch_only_the_golden_features(world: SmallWorld, seed: int) -> None:
    """Samples a supplier hands in never enter independent history."""
    rows, spine = random_rows(seed), spine_of(AS_OF)
    independent = [test for test in rows["lab_tests"] if test["origin"] != "supplier_provided"]
    without = world.features({**rows, "lab_tests": independent}, spine)
    assert_same(world.features(rows, spine).drop(columns=GOLDEN), without.drop(columns=GOLDEN))


@LAW
@given(seed=SEEDS)
def test_country_and_the_reasons_for_testing_change_nothing(world: SmallWorld, seed: int) -> None:
    """Where a supplier sits, and why, by whom and at which cost a test was made, are no features."""
    rows, spine = random_rows(seed), spine_of(AS_OF)
    hidden = {
        **rows,
        "suppliers": [{**supplier, "country": "XX"} for supplier in rows["suppliers"]],
        "lab_tests": [
            {**test, "strategy": None, "propensity": None, "package": None, "lab_id": None, "cost_eur": None}
            for test in rows["lab_tests"]
        ],
    }
    assert_same(world.features(hidden, spine), world.features(rows, spine))


@LAW
@given(seed=SEEDS)
def test_wider_windows_hold_no_less_and_shares_stay_between_0_and_1(world: SmallWorld, seed: int) -> None:
    """Counts grow with the window, shares are shares."""
    found = world.features(random_rows(seed), spine_of(AS_OF))
    for stem in ("supplier_fails", "sku_safety_returns", "sku_hazard_reviews", "sku_units"):
        assert (found[f"{stem}_30"].fillna(0) <= found[f"{stem}_90"].fillna(0)).all(), stem
        assert (found[f"{stem}_90"].fillna(0) <= found[f"{stem}_365"].fillna(0)).all(), stem
    for name in FEATURE_NAMES:
        if BY_NAME[name].unit in ("share", "yes/no"):
            assert found[name].dropna().between(0, 1).all(), name


@LAW
@given(seed=SEEDS, lost=st.sets(st.integers(0, 60), max_size=8))
def test_any_optional_column_may_be_missing(world: SmallWorld, seed: int, lost: set[int]) -> None:
    """Every row is answered whatever optional columns are lost."""
    optional = [(table.name, column.name) for table in TABLES for column in table.columns
                if not column.required and column.name not in ("known_on", "due_on")]  # fmt: skip
    gone = {optional[number % len(optional)] for number in lost}
    rows = {
        name: [{key: value for key, value in row.items() if (name, key) not in gone} for row in kept]
        for name, kept in random_rows(seed).items()
    }
    assert len(world.features(rows, spine_of(AS_OF))) == 8


@pytest.fixture(scope="module")
def of_all_tables(world: SmallWorld) -> pd.DataFrame:
    """The features of a random marketplace with every table."""
    return world.features(random_rows(7), spine_of(AS_OF))


@pytest.mark.parametrize("absent", OPTIONAL_TABLES)
def test_an_absent_table_costs_only_its_own_features(of_all_tables: pd.DataFrame, absent: str) -> None:
    """Its features come out missing, the others unchanged."""
    needing = [feature.name for feature in CATALOGUE if absent in feature.source.needs]
    found = SmallWorld(absent=[absent]).features(random_rows(7), spine_of(AS_OF))
    assert found[needing].isna().all(axis=None)
    assert_same(found.drop(columns=needing), of_all_tables.drop(columns=needing))


def test_tables_present_but_empty_count_nothing(world: SmallWorld) -> None:
    """No event is 0, not missing."""
    rows: dict[str, list[Row]] = {name: kept for name, kept in random_rows(3).items() if name in ("suppliers", "skus")}
    found = world.features(rows, spine_of(AS_OF))
    counted = [f for f in CATALOGUE if f.unit == "count" and f.source.needs and f.group != "listing"]
    counts = [f.name for f in counted if f.entity in ("sku", "supplier")]
    assert len(counts) > 20
    assert (found[counts] == 0).all(axis=None)


def test_a_frame_keeps_its_rows_in_order_twice_asked_or_unknown() -> None:
    """One row out per row in, also for repeated and unknown SKUs."""
    frames = {
        "suppliers": pa.table({"supplier_id": ["s0"], "onboarded_on": [date(2024, 1, 1)]}),
        "skus": pa.table({"sku_id": ["k0", "k1"], "market": ["EU"] * 2, "supplier_id": ["s0"] * 2,
                          "category": ["toys"] * 2, "listed_on": [date(2025, 1, 1), date(2025, 1, 11)]}),
        "lab_tests": pa.table({"test_id": ["t"], "sku_id": ["k1"], "market": ["EU"], "origin": ["customs"],
                               "happened_on": [AS_OF - timedelta(9)], "known_on": [AS_OF - timedelta(2)],
                               "result": ["fail"]}),
    }  # fmt: skip
    spine = pd.DataFrame({"sku_id": ["k1", "nobody", "k0", "k1"], "market": "EU", "as_of": AS_OF}, index=[5, 3, 9, 1])
    found = feature_frame(tables_from_frames(frames), spine, FittedTables.untrained())
    assert list(found["sku_id"]) == ["k1", "nobody", "k0", "k1"]
    assert list(found.index) == [5, 3, 9, 1]
    assert tuple(found.columns[3:]) == FEATURE_NAMES
    assert set(found.dtypes[list(FEATURE_NAMES)]) == {np.dtype("float64")}
    assert list(found["sku_tests"]) == [1, 0, 0, 1]
    assert np.isnan(found["supplier_tests"].iloc[1])


def test_entity_tables_hold_each_key_once_and_the_keys_of_the_others(world: SmallWorld) -> None:
    """What a snapshot writes: one row per entity and day, and in the SKU's row the keys of its other entities."""
    world.features(random_rows(11), [])
    found = entity_tables(world.tables, ibis.memtable(spine_table(spine_of(AS_OF) * 2)), REFERENCE)
    assert set(found) == set(KEYS)
    for entity, table in found.items():
        frame = world.backend.to_pyarrow(table).to_pandas()
        assert not frame.duplicated([*KEYS[entity], "as_of"]).any()
        assert [c for c in frame.columns if c in BY_NAME] == [f.name for f in CATALOGUE if f.entity == entity]
    assert {"supplier_id", "factory_id", "category", "title_key"} <= set(found["sku"].columns)


@LAW
@given(seed=SEEDS, days=st.integers(0, 60))
def test_versions_that_become_known_later_change_nothing(world: SmallWorld, seed: int, days: int) -> None:
    """A report that is amended or withdrawn on the day or after it says what it said before."""
    rows, spine = with_first_versions(seed), spine_of(AS_OF)
    later = AS_OF + timedelta(days)
    amended = [{**second_version(test), "known_on": max(test["known_on"], later)} for test in rows["lab_tests"]]
    both = {**rows, "lab_tests": [*rows["lab_tests"], *amended]}
    assert_same(world.features(both, spine), world.features(rows, spine))


@LAW
@given(seed=SEEDS)
def test_of_a_known_version_nothing_but_the_newest_is_seen(world: SmallWorld, seed: int) -> None:
    """As if the earlier ones had never been; and of a withdrawn report nothing at all."""
    rows, spine = with_first_versions(seed), spine_of(AS_OF)
    amended = [second_version(test) for test in rows["lab_tests"]]
    both = {**rows, "lab_tests": [*rows["lab_tests"], *amended]}
    known = [second if second["known_on"] < AS_OF else first
             for first, second in zip(rows["lab_tests"], amended, strict=True)]  # fmt: skip
    counted = [test for test in known if test["status"] not in NO_RESULT]
    assert_same(world.features(both, spine), world.features({**rows, "lab_tests": counted}, spine))


def with_first_versions(seed: int) -> Rows:
    """A random marketplace whose tests are all of final first versions."""
    rows = random_rows(seed)
    return {**rows, "lab_tests": [{**test, "version": 1, "status": "final"} for test in rows["lab_tests"]]}


def second_version(test: Row) -> Row:
    """An amendment of a test a few days later: the other result, or by its number none."""
    number = int(test["test_id"])
    result = {"pass": "fail", "fail": "pass"}.get(test["result"], "fail")
    status = ("amended", "corrected", *NO_RESULT)[number % 4]
    return {**test, "version": 2, "status": status, "result": result, "known_on": test["known_on"] + timedelta(number)}
