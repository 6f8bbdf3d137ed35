"""What changes the version of the features, and what does not."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import ibis
import pyarrow as pa
import pytest

from features import version
from features.definition import KEYS, EventSource, count, within
from features.fitted_tables import UNTRAINED_RATES, FittedTables
from features.registry import CATALOGUE, FEATURE_NAMES, Feature
from features.version import ExpressionDigests, feature_version, version_of, wording_version

if TYPE_CHECKING:
    import ibis.expr.types as ir

EACH = pytest.mark.parametrize("feature", CATALOGUE[::7], ids=FEATURE_NAMES[::7])
ROOT = Path(__file__).resolve().parents[2]
REWORDED: dict[str, Any] = {
    "meaning": "said otherwise", "unit": "days", "group": "audits", "sentence": "Now {value}.", "missing": "Who knows."
}  # fmt: skip


def a_feature(value: "Callable[[ir.Table, FittedTables], ir.Value]") -> Feature:
    """The first feature with another value."""
    return replace(CATALOGUE[0], value=value)


def reviews_of(window_days: int) -> Feature:
    """How many rows lie in the window."""
    return a_feature(lambda seen, _: count(within(seen, window_days)))


@pytest.mark.parametrize("hash_seed", ["1", "2", "3"])
def test_the_version_is_the_same_in_another_process(hash_seed: str) -> None:
    """Nothing random enters the version, not even the order in which Python walks a set."""
    answer = subprocess.run(
        [sys.executable, "-c", "from features.version import feature_version; print(feature_version())"],
        capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )  # fmt: skip
    assert re.fullmatch(r"f-[0-9a-f]{12}", feature_version())
    assert answer.stdout.strip() == feature_version()


@EACH
def test_other_words_leave_the_version_as_it_is(feature: Feature) -> None:
    """A meaning, unit, group, sentence or source may be called otherwise, and a function too."""

    def renamed_function(seen: "ir.Table", reference: FittedTables) -> "ir.Value":
        """Says the same."""
        return feature.value(seen, reference)

    source = replace(feature.source, name="said otherwise")
    assert version_of([replace(feature, **REWORDED)]) == version_of([feature])
    assert version_of([replace(feature, source=source, value=renamed_function)]) == version_of([feature])


@EACH
def test_another_declaration_is_another_version(feature: Feature) -> None:
    """Of the name, direction, expression, and of the source its tables and rows."""
    source, rows = feature.source, cast(Any, feature.source.rows)
    fewer_rows: Any = lambda *given: rows(*given).limit(1)  # noqa: E731 - takes what the rows of its source take
    others = [
        replace(feature, name="sku_other"),
        replace(feature, direction=1 if feature.direction != 1 else 0),
        replace(feature, value=lambda seen, reference: feature.value(seen, reference) + 1),
        replace(feature, source=replace(source, needs=(*source.needs, "holds"))),
        replace(feature, source=replace(source, rows=fewer_rows)),
    ]
    assert len({version_of([each]) for each in (feature, *others)}) == len(others) + 1


def test_another_entity_key_or_order_is_another_version() -> None:
    """The same expression over the same rows, of another entity, joined by another key, or in another column."""
    feature = next(f for f in CATALOGUE if isinstance(f.source, EventSource) and f.entity == "supplier")
    assert isinstance(feature.source, EventSource)
    by_market = replace(feature.source, on=(*KEYS["supplier"], "market"))
    others = [replace(feature, entity="factory"), replace(feature, source=by_market)]
    assert len({version_of([each]) for each in (feature, *others)}) == 3
    assert version_of(CATALOGUE[:2]) != version_of(CATALOGUE[1::-1])


def test_another_window_is_another_version() -> None:
    """Each day of the window counts."""
    assert len({version_of([reviews_of(days)]) for days in (30, 90, 91)}) == 3
    assert version_of([reviews_of(90)]) == version_of([reviews_of(90)])


def test_rates_of_equal_numbers_are_told_apart() -> None:
    """A supplier and a factory are believed to fail alike before training, and training tells them apart."""
    assert UNTRAINED_RATES["supplier_fail"] == UNTRAINED_RATES["factory_fail"]
    of_supplier = a_feature(lambda _, reference: ibis.literal(reference.prior("supplier_fail").mean))
    of_factory = a_feature(lambda _, reference: ibis.literal(reference.prior("factory_fail").mean))
    assert version_of([of_supplier]) != version_of([of_factory])


def test_another_rate_before_training_is_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is believed before training is computed with where training found too little."""
    before = version_of(CATALOGUE[:1])
    monkeypatch.setitem(UNTRAINED_RATES, "sku_fail", UNTRAINED_RATES["sku_fail"]._replace(strength=4.0))
    assert version_of(CATALOGUE[:1]) != before


def test_another_extractor_is_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads reviews differently makes other features."""
    before = version_of(CATALOGUE[:1])
    monkeypatch.setattr("features.review_text.extractor.extractor_version", lambda: "x-other")
    assert version_of(CATALOGUE[:1]) != before


def test_wording_has_a_version_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It changes with any word, and with nothing that is computed."""
    feature, versions = CATALOGUE[0], {wording_version()}
    assert re.fullmatch(r"w-[0-9a-f]{12}", wording_version())
    for changed in [{name: words} for name, words in REWORDED.items()]:
        monkeypatch.setattr(version, "CATALOGUE", (replace(feature, **changed), *CATALOGUE[1:]))
        versions.add(wording_version.__wrapped__())
    assert len(versions) == len(REWORDED) + 1
    monkeypatch.setattr(version, "CATALOGUE", (replace(feature, direction=0, value=CATALOGUE[1].value), *CATALOGUE[1:]))
    assert wording_version.__wrapped__() == wording_version()


def digest(expression: "ir.Expr") -> str:
    """By an instance of its own, as another process would."""
    return ExpressionDigests().digest(expression)


def test_rows_in_memory_and_views_stand_by_what_they_are() -> None:
    """Ibis gives both a new name or number each time."""
    table = ibis.table({"key": "string", "day": "date"}, name="events")
    rows = [ibis.memtable(pa.table({"a": numbers})) for numbers in ([1, 2], [1, 2], [1, 3])]
    assert digest(rows[0]) == digest(rows[1]) != digest(rows[2])
    twice = [table.join(table.view(), "key") for _ in range(2)]
    assert digest(twice[0]) == digest(twice[1]) != digest(table)


def test_literals_types_and_tables_are_told_apart() -> None:
    """Every small difference in what is computed counts; a column that nothing reads does not."""
    table = ibis.table({"key": "string", "units": "int64"}, name="orders")
    wider = ibis.table({"key": "string", "units": "int64", "more": "int64"}, name="orders")
    expressions = [
        table.units.sum(), table.units.max(), table.units.sum(where=table.key == "a"),
        table.units.sum(where=table.key == "b"), table.units.cast("float64").sum(), table.units + 1, table.units + 1.0,
        ibis.table({"key": "string", "units": "int64"}, name="returns").units.sum(),
        ibis.table({"key": "string", "units": "int32"}, name="orders").units.sum(),
        table.key.cast("date") > date(2026, 1, 1), table.key.cast("date") > date(2026, 1, 2),
        table.key.isin(["a", "b"]), table.key.isin(["a"]),
    ]  # fmt: skip
    assert len({digest(expression) for expression in expressions}) == len(expressions)
    assert digest(wider.units.sum()) == digest(table.units.sum())


def test_what_has_no_plain_form_is_refused() -> None:
    """A table of one connection means nothing to another."""
    table = ibis.duckdb.connect().create_table("orders", schema={"units": "int64"})
    with pytest.raises(TypeError, match="has no plain form to take a version of"):
        digest(table.units.sum())
