"""One judge of a record: a file and an HTTP request break the same rules in the same words."""

import csv
import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from data.contract_schema import Column
from data.ingest.sources import FileSource
from data.ingest.validation import validate_source
from data.lab_results.record_validation import validate_record
from data.lake.duckdb_engine import connect
from data.lake.lab_results import RESULTS
from data.text_values import PLACEHOLDERS, json_text

Record = dict[str, Any]
TODAY = date(2026, 6, 30)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=6)
ODD = st.one_of(
    st.none(), st.booleans(), TEXTS, st.integers(-3, 10**17), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([
        "", "  ", "k" * 200, "k" * 201, "a\nb", "a\u200bb", "\u202ea", "0", "1", "1.0", "1e400", "-1", " 0.5 ", "nan",
        "infinity", "0x10", "1_000", "\uff11", "+1", ".5", "5.", "FAIL", " fail", *PLACEHOLDERS, "2025-06-01", "epoch",
        "2025-06-01 garbage", "2025-06-01T23:30:00-05:00", "2025-06-01 00:30+09", "2025-02-30", "20250601", "2025-6-1",
        "2026-06-30T23:00:00-02:00",
    ]),
)  # fmt: skip


def plausible(column: Column) -> st.SearchStrategy[Any]:
    """Values that a column may well hold."""
    if column.choices:
        return st.sampled_from(column.choices)
    if column.kind == "day":
        return st.dates(date(2024, 1, 1), TODAY + timedelta(days=2)).map(date.isoformat)
    if column.kind in ("number", "integer"):
        return st.sampled_from([0, 0.5, 1, 1.5, 12])
    return st.sampled_from(["k1", "DE", "t1"])


RECORDS = st.lists(
    st.fixed_dictionaries({each.name: st.one_of(plausible(each), plausible(each), ODD) for each in RESULTS.columns}),
    min_size=1, max_size=12,
)  # fmt: skip


def rules_of_file(path: Path, records: int) -> list[set[str]]:
    """The rules that each row of a file breaks, without those about other rows and tables."""
    backend, staging = connect(path.parent / "spill"), path.parent / "staging"
    parents = {
        "skus": ibis.memtable([], schema={"sku_id": "string", "market": "string"}),
        "planned": ibis.memtable([], schema={"round_id": "string", "sku_id": "string", "market": "string"}),
    }
    validated = validate_source(backend, FileSource(RESULTS, path), parents, TODAY, staging)
    assert validated.count.read == records
    broken: list[set[str]] = [set() for _ in range(records)]
    if validated.quarantine is not None:
        for row in validated.quarantine.to_pyarrow().to_pylist():
            rules = {rule for rule in row["broken_rules"] if not rule.startswith(("unknown", "duplicate"))}
            broken[row["row_number"] - 1] = rules
    backend.disconnect()
    return broken


def write_csv(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write every value as its text, quoted."""
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, quoting=csv.QUOTE_ALL)
        writer.writerow(RESULTS.column_names)
        writer.writerows([json_text(record[name]) or "" for name in RESULTS.column_names] for record in records)


def write_json_lines(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write one object per line."""
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")


@pytest.mark.parametrize(("suffix", "write"), [("csv", write_csv), ("jsonl", write_json_lines)])
@settings(
    max_examples=10, deadline=None, suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)  # fmt: skip
@given(records=RECORDS)
def test_a_file_and_a_request_break_the_same_rules(suffix: str, write: Any, records: list[Record]) -> None:
    """Columns that every record leaves open or fills with forms of other lands are a matter of the whole file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"results.{suffix}"
        write(path, records)
        asked = [set(validate_record(record, TODAY).broken) for record in records]
        assert rules_of_file(path, len(records)) == asked
