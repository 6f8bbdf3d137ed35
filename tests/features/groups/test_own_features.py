"""Own features say what was known of an entity before the day, and nothing else."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UserError
from data.lake.tables import Tables, tables_from_frames
from data.own_features import OwnFeature
from data.progress import SilentProgress
from features.definition import KEYS
from features.fitted_tables import SCHEMAS, FittedTables, Prior, rates_table
from features.groups.own_listing import OwnListingReader
from features.point_in_time import feature_frame, point_in_time_join
from features.registry import features_of
from features.snapshot.reader import open_snapshot
from features.snapshot.writer import write_snapshot
from features.version import feature_version

DAY = date(2026, 3, 1)
SUPPLIERS = pd.DataFrame({"supplier_id": ["s0", "s1"], "onboarded_on": date(2020, 1, 1), "line_speed": [90.0, None]})
SKUS = pd.DataFrame({
    "sku_id": ["k0", "k0", "k1"], "market": ["DE", "FR", "DE"], "supplier_id": ["s0", "s0", "s1"],
    "category": ["toys", "toys", "lamps"], "listed_on": date(2020, 1, 1), "risk": ["high", "low", None],
    "fragile": [True, False, None], "factory_id": ["f0", "f0", None],
})  # fmt: skip
TESTS = pd.DataFrame({
    "test_id": ["t0"], "sku_id": ["k0"], "market": ["DE"], "happened_on": [date(2025, 1, 1)],
    "known_on": [date(2025, 1, 9)], "result": ["pass"], "origin": ["warehouse"],
})  # fmt: skip


def number(name: str, entity: str, **changes: Any) -> OwnFeature:
    plain = {"name": name, "table": "attributes", "entity": entity, "column": "x", "kind": "number", "meaning": name}
    return OwnFeature.model_validate({**plain, **changes})


OWN = (
    number("latest_of_sku", "sku"), number("mean_of_sku", "sku", summary="mean", window_days=30),
    number("change_of_supplier", "supplier", summary="change", window_days=20),
    number("latest_of_market", "market", window_days=40), number("mean_of_factory", "factory", summary="mean"),
    number("latest_of_category", "category"),
    OwnFeature(name="speed", table="suppliers", column="line_speed", kind="number", meaning="line speed", unit="m/s"),
    OwnFeature(name="fragile", table="skus", kind="yes/no", meaning="fragile goods"),
    OwnFeature(name="risk", table="skus", kind="choice", meaning="risk class"),
    number("class_of_sku", "sku", kind="code", column="class"), number("approved", "sku", kind="yes/no", column="ok"),
)  # fmt: skip
RATES = pa.Table.from_pylist(
    [{"feature": "risk", "value": "high", "tests": 9, "fail_rate": 0.6},
     {"feature": "class_of_sku", "value": "b", "tests": 9, "fail_rate": 0.4}], schema=SCHEMAS["own_rates"],
)  # fmt: skip
REFERENCE = FittedTables(
    {"own_rates": RATES, "rates": rates_table({"own_risk": Prior(0.2, 5.0), "own_class_of_sku": Prior(0.25, 5.0)})}, OWN
)
IDS = {"sku": ("k0", "k1"), "supplier": ("s0", "s1"), "factory": ("f0",), "category": ("toys",), "market": ("DE", "FR")}


@st.composite
def attributes(draw: st.DrawFn) -> pd.DataFrame:
    """Numbers of every kind of entity around the day, some known late, some in one market alone."""
    rows: dict[tuple[Any, ...], Any] = {}
    for _ in range(draw(st.integers(1, 14))):
        entity = draw(st.sampled_from(sorted(IDS)))
        happened = DAY + timedelta(days=draw(st.integers(-60, 5)))
        market = draw(st.sampled_from([None, "DE"])) if entity in ("sku", "category") else None
        name = draw(st.sampled_from(["x", "class", "y"])) if entity == "sku" else "x"
        value = draw(st.sampled_from(["a", "b"] if name == "class" else ["1", "2.5", "-40", "7", "much"]))
        key = (entity, draw(st.sampled_from(IDS[entity])), market, name, happened)
        rows[key] = (draw(st.sampled_from([0, 1, 9])), value)
    columns = ["entity", "id", "market", "name", "happened_on", "late", "value"]
    frame = pd.DataFrame([(*key, *value) for key, value in rows.items()], columns=columns)
    known = [day + timedelta(days=late) for day, late in zip(frame["happened_on"], frame["late"], strict=True)]
    return frame.assign(known_on=known).drop(columns="late").fillna({"market": "*"})


def tables_with(rows: pd.DataFrame) -> Tables:
    """A marketplace of three listings with these attributes; its own columns stand beside the contract's."""
    frames = {"suppliers": SUPPLIERS, "skus": SKUS, "lab_tests": TESTS, "attributes": rows}
    tables = tables_from_frames(frames)
    for name, frame, columns in (("suppliers", SUPPLIERS, ["line_speed"]), ("skus", SKUS, ["risk", "fragile"])):
        keys = list(frame.columns[:2]) if name == "skus" else ["supplier_id"]
        own = ibis.memtable(pa.Table.from_pandas(frame[[*keys, *columns]], preserve_index=False))
        tables.given[name] = tables.given[name].left_join(own, keys).select(tables.given[name], *columns)  # type: ignore[index]
    return tables


def own_values_of(tables: Tables) -> pd.DataFrame:
    """The own features of every listing on the day."""
    declared, values = features_of(REFERENCE), SKUS[["sku_id", "market", "supplier_id", "factory_id", "category"]]
    for entity in ("sku", "supplier", "factory", "category"):
        own = [each for each in declared.of_entity(entity) if each.group == "own features"]
        days = values[list(KEYS[entity])].drop_duplicates().dropna().assign(as_of=DAY)
        rows = ibis.memtable(pa.Table.from_pandas(days, preserve_index=False))
        joined = tables.backend.to_pyarrow(point_in_time_join(rows, tables, REFERENCE, own)).to_pandas()
        values = values.merge(joined.drop(columns="as_of"), how="left", on=list(KEYS[entity]))
    return values.set_index(["sku_id", "market"])


def expected(rows: pd.DataFrame, declared: OwnFeature, named: str, market: str) -> float:
    """What an attribute says of an entity, looked up row by row."""
    seen = rows[(rows.entity == declared.entity) & (rows.id == named) & (rows.name == declared.source_column)]
    seen = seen[seen.known_on.map(lambda day: day < DAY) & seen.market.isin(["*", market])]
    age = seen.happened_on.map(lambda day: (DAY - day).days)
    seen = seen.assign(number=pd.to_numeric(seen.value, errors="coerce"), age=age, own=seen.market != "*").dropna(
        subset="number"
    )
    window = declared.window_days or 10**6
    recent = seen[seen.age <= window].sort_values(["happened_on", "own"])
    if declared.summary == "latest":
        return float(recent.number.iloc[-1]) if len(recent) else np.nan
    before = seen[(seen.age > window) & (seen.age <= 2 * window)].number.mean()
    return float(recent.number.mean() - (before if declared.summary == "change" else 0.0))


@settings(max_examples=8)
@given(attributes())
def test_an_attribute_is_told_as_it_was_known_before_the_day(rows: pd.DataFrame) -> None:
    """Latest, mean and change equal a look at every row; what became known later changes nothing."""
    values = own_values_of(tables_with(rows))
    for each in OWN:
        if each.table == "attributes" and each.kind == "number":
            for row in values.reset_index().to_dict("records"):
                ids = {"sku": row["sku_id"], "supplier": row["supplier_id"], "factory": row["factory_id"]}
                named = {**ids, "category": row["category"], "market": row["market"]}[each.entity or "sku"]
                told = expected(rows, each, named, row["market"])
                assert row[each.name] == pytest.approx(told, nan_ok=True), each.name
    known = rows[rows.known_on.map(lambda day: day < DAY)]
    if len(known):
        pd.testing.assert_frame_equal(own_values_of(tables_with(known)), values)


def test_columns_and_choices_are_told_by_value_and_by_learned_rate(tmp_path: Path) -> None:
    """An unknown value has the usual rate, a missing one stays missing; a snapshot says the same."""
    of_k0 = {"entity": "sku", "id": "k0", "name": "class", "happened_on": DAY - timedelta(days=3)}
    known = {**of_k0, "known_on": DAY - timedelta(days=1)}
    rows = pd.DataFrame([{**known, "market": "*", "value": "b"}, {**known, "market": "DE", "value": "unheard of"}])
    rows = pd.concat([rows, pd.DataFrame([{**known, "name": "ok", "market": "*", "value": "Yes"}])])
    tables = tables_with(rows)
    values = own_values_of(tables)
    assert values["approved"].tolist()[:2] == [1.0, 1.0]
    assert values["risk"].tolist()[:2] == [0.6, 0.2]
    assert np.isnan(values["risk"].iloc[2])
    assert values["fragile"].tolist()[:2] == [1.0, 0.0]
    assert values["class_of_sku"].tolist()[:2] == [0.25, 0.4]
    assert values["speed"].tolist()[:2] == [90.0, 90.0]
    write_snapshot(tables, DAY, REFERENCE, tmp_path / "snapshot", SilentProgress())
    snapshot = open_snapshot(tmp_path / "snapshot")
    assert snapshot.feature_version == feature_version(REFERENCE) != feature_version()
    spine = snapshot.keys(0, 3).select(["sku_id", "market"]).to_pandas().assign(as_of=DAY)
    frame = feature_frame(tables, spine, REFERENCE)[list(snapshot.feature_names)]
    np.testing.assert_array_equal(snapshot.matrix(0, 3), frame.to_numpy())


def test_a_new_listing_gives_its_own_columns() -> None:
    reader = OwnListingReader(REFERENCE)
    assert reader.features({"risk": "high", "fragile": "yes"}) == {"risk": 0.6, "fragile": 1.0}
    assert reader.features({"risk": "unheard of", "fragile": None}) == {"risk": 0.2}
    with pytest.raises(UserError, match=r"own\.fragile is 'very'; it must be yes or no"):
        reader.features({"fragile": "very"})


def test_the_version_covers_what_is_computed_and_not_how_it_is_told() -> None:
    def version(**changes: Any) -> str:
        return feature_version(FittedTables({}, (OWN[0].model_copy(update=changes),)))

    assert version() == version(meaning="other words", unit="kg", sentence="It is {value}.")
    assert (
        len({version(), version(summary="mean"), version(window_days=9), version(direction=1), version(column="y")})
        == 5
    )
