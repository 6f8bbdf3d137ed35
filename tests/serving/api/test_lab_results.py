"""A result is accepted once and for all, on SQLite and PostgreSQL, whatever is sent again or ends in between."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv

from data.contract import BY_NAME
from data.database.audit_log import audit_rows, verify_chain
from data.database.connection import read_transaction
from data.database.schema import RESULTS
from data.lab_results.record_validation import validate_record
from data.lab_results.store import Sender, file_results, store_results
from data.lake.lab_results import accepted_results, result_hand_ins
from data.workspace import Workspace
from sampling.result_intake import receive_results
from tests.data.conftest import postgresql
from tests.data.database.conftest import address, state
from tests.serving.conftest import ingested_workspace

__all__ = ["address", "postgresql", "state"]

NOW = datetime(2026, 7, 20, 12, tzinfo=UTC)
SENDER = Sender("lab gateway", "k1", NOW)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6,
)  # fmt: skip


def record(test_id: str, **other: Any) -> dict[str, Any]:
    """A sound result as JSON gives it."""
    fields = {
        "test_id": test_id,
        "sku_id": "K-1",
        "market": "DE",
        "happened_on": "2026-07-01",
        "known_on": "2026-07-10",
        "result": "fail",
        "origin": "warehouse",
    }
    return fields | other


def sound(*test_ids: str, **other: Any) -> list[Any]:
    """Judged results."""
    return [validate_record(record(test_id, **other), NOW.date()).values for test_id in test_ids]


def test_results_are_kept_once_and_filed_once(state: sa.Engine, tmp_path: Path) -> None:
    """Sent twice, overlapping and changed: training reads each test once, as first sent; the ledger stays whole."""
    workspace = Workspace(tmp_path / "workspace")
    first = store_results(state, workspace, sound("t1", "t2"), SENDER)
    assert first.new == ("t1", "t2")
    assert file_results(state, workspace, NOW) == 2
    second = store_results(state, workspace, [*sound("t2", "t3"), *sound("t1", result="pass")], SENDER)
    assert (second.new, second.known, second.changed) == (("t3",), ("t2",), ("t1",))
    file_results(state, workspace, NOW)
    assert file_results(state, workspace, NOW) == 0
    rows = accepted_results(workspace).to_pylist()
    assert [(row["test_id"], row["result"]) for row in rows] == [("t1", "fail"), ("t2", "fail"), ("t3", "fail")]
    assert [row.action for row in audit_rows(state)] == ["results", "results"]
    assert verify_chain(state) is not None


def test_what_was_accepted_before_the_end_is_filed_by_the_next_start(state: sa.Engine, tmp_path: Path) -> None:
    """A process that ends after the commit loses nothing, and sending again adds nothing."""
    workspace = Workspace(tmp_path / "workspace")
    store_results(state, workspace, sound("t1"), SENDER)
    assert not result_hand_ins(workspace).files()
    assert store_results(state, workspace, sound("t1"), SENDER).known == ("t1",)
    assert file_results(state, workspace, NOW) == 1
    assert accepted_results(workspace)["test_id"].to_pylist() == ["t1"]


def test_a_file_and_the_service_take_the_same_results_once(state: sa.Engine, tmp_path: Path) -> None:
    """Whichever way a test comes first, the other knows it; both ways are in one ledger, and training reads it once."""
    workspace = ingested_workspace(tmp_path / "workspace")
    day = {"happened_on": "2026-01-02", "known_on": "2026-01-09"}
    file, whole = tmp_path / "lab.csv", [record(name, cost_eur=120, **day) for name in ("t1", "t2", "t3")]
    csv.write_csv(pa.Table.from_pylist(whole), file)
    over_http = [*sound("t3", "t4", cost_eur=120.0, **day), *sound("t2", result="pass", **day)]
    clerk = Sender("ann", "command line", NOW)
    assert store_results(state, workspace, over_http[:1], SENDER).new == ("t3",)
    by_file = receive_results(file, workspace, state, clerk)
    assert (by_file.new["test_id"].to_pylist(), by_file.known, by_file.changed) == (["t1", "t2"], 1, 0)
    second = store_results(state, workspace, over_http, SENDER)
    assert (second.new, second.known, second.changed) == (("t4",), ("t3",), ("t2",))
    file_results(state, workspace, NOW)
    assert receive_results(file, workspace, state, clerk).new.num_rows == 0
    recorded = [(row.actor, row.action, json.loads(row.content)["results"]) for row in audit_rows(state)]
    assert recorded == [("lab gateway", "results", 1), ("ann", "results", 2), ("lab gateway", "results", 1)]
    assert accepted_results(workspace)["test_id"].to_pylist() == ["t1", "t2", "t3", "t4"]


def test_a_hand_in_may_be_larger_than_one_question_to_the_database(state: sa.Engine, tmp_path: Path) -> None:
    """40,000 results are taken at once, and known the next time."""
    workspace = Workspace(tmp_path / "workspace")
    (one,) = sound("t")
    many = [{**one, "test_id": f"t{number:05}"} for number in range(40_000)]
    assert len(store_results(state, workspace, many, SENDER).new) == 40_000
    assert len(store_results(state, workspace, many, SENDER).known) == 40_000


def test_a_full_disk_keeps_what_was_accepted(state: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While files cannot be written the results wait in the database, and are filed when they can."""
    workspace = Workspace(tmp_path / "workspace")
    store_results(state, workspace, sound("t1"), SENDER)
    with monkeypatch.context() as patch:
        patch.setattr("pyarrow.parquet.write_table", _full)
        with pytest.raises(OSError, match="No space left"):
            file_results(state, workspace, NOW)
    with read_transaction(state) as connection:
        assert connection.execute(sa.select(RESULTS.c.filed_at)).scalars().all() == [None]
    assert not result_hand_ins(workspace).files()
    assert file_results(state, workspace, NOW) == 1


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


@given(st.dictionaries(st.sampled_from([column.name for column in BY_NAME["lab_tests"].columns]), JSON))
def test_no_record_breaks_the_judge(given_values: dict[str, Any]) -> None:
    """Whatever JSON holds is judged: the values that are read are of the contract's kinds, the rest is said."""
    checked = validate_record(record("t1") | given_values, NOW.date())
    for column in BY_NAME["lab_tests"].columns:
        value = checked.values[column.name]
        if value is None:
            raw = (record("t1") | given_values).get(column.name)
            blank = raw is None or (isinstance(raw, str) and not raw.strip())
            assert blank or any(column.name in rule for rule in checked.broken)
        elif column.choices and value not in column.choices:
            assert any(column.name in rule for rule in checked.broken)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"result": "burnt"}, "result is not one of pass, fail, inconclusive"),
        ({"test_id": " "}, "test_id is missing"),
        ({"known_on": "2026-06-01"}, "known_on is before happened_on"),
        ({"known_on": "2026-08-01"}, "known_on is in the future"),
        ({"happened_on": "soon"}, "happened_on is not a day"),
        ({"propensity": 2}, "propensity is above 1"),
        ({"cost_eur": float("nan")}, "cost_eur is not a number"),
        ({"colour": "red"}, "'colour' is no column of results"),
    ],
)
def test_each_rule_is_said(wrong: dict[str, Any], rule: str) -> None:
    """The rule a record breaks comes back in words."""
    assert rule in validate_record(record("t1") | wrong, NOW.date()).broken
