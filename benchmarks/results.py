"""How long a hand-in of results takes after 10,000 hand-ins, and how long it takes to read them all.

Run with `python -m benchmarks.results [HAND_INS]`, or `make bench-results`. Each hand-in is what `POST /results` does
with one result of a planned test of a round, without HTTP and letters: validated, stored, filed, counted.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.report import machine, table, versions, write_report
from data.contract import LAB_TESTS
from data.database.connection import open_database
from data.lab_results.store import Sender
from data.lake.lab_results import SCHEMA, accepted_results, current_results, result_hand_ins, tables_fingerprint
from data.workspace import Workspace, write_pointer
from sampling.plan_files import PLAN_FILE, RECORD_FILE
from sampling.rounds import round_status
from serving.api.lab_results import LabResultIntake, accept_results
from serving.online.store import OnlineStore

HAND_INS, LAKE_TESTS, ROUNDS = 10_000, 400_000, 40
DRAWN_ON = date(2026, 6, 1)
SENDER = Sender("laboratory", "k-lab", datetime(2026, 7, 1, 12, tzinfo=UTC))
MOST_RATIO = 1.5
"""A hand-in among the last tenth takes at most so many times as long as one among the first, to be called flat."""


@dataclass(frozen=True)
class Bench:
    """A workspace with a lake of LAKE_TESTS tests and planned rounds, and what results are checked against."""

    intake: LabResultIntake
    planned: int

    def result(self, number: int) -> dict[str, Any]:
        """The result of one planned test."""
        of_round, unit = number % ROUNDS, number // ROUNDS
        days = {"happened_on": "2026-06-02", "known_on": "2026-06-20"}
        return {"test_id": f"N-{number:06}", "sku_id": f"K-{unit:05}", "market": "DE", "result": "pass",
                "origin": "warehouse", "round_id": f"r-{of_round:02}", **days}  # fmt: skip

    def hand_in(self, number: int) -> float:
        """The seconds that one hand-in takes."""
        begun = time.perf_counter()
        answer = accept_results(self.intake, [self.result(number)], SENDER)
        seconds = time.perf_counter() - begun
        assert answer.accepted, answer
        return seconds


def main() -> None:
    """Hand in, measure, and report."""
    hand_ins_asked = int(sys.argv[1]) if len(sys.argv) > 1 else HAND_INS
    with tempfile.TemporaryDirectory() as made:
        bench = prepare(Path(made), hand_ins_asked)
        measured = {
            "machine": machine(),
            "versions": versions("pyarrow", "sqlalchemy"),
            **measure(bench, hand_ins_asked),
        }
        page = write_report("results", "Hand-ins of results", measured, _sections(measured))
    print(page.read_text(encoding="utf-8"))


def prepare(home: Path, number: int) -> Bench:
    """The workspace: SQLite, a lake of tests of other days, and rounds with a planned test for every hand-in."""
    workspace, planned = Workspace(home / "workspace"), -(-number // ROUNDS)
    lake = workspace.lake / "l-bench"
    lake.mkdir(parents=True)
    pq.write_table(_lake_tests(), lake / f"{LAB_TESTS.name}.parquet", compression="zstd")
    write_pointer(workspace.lake / "CURRENT", lake.name)
    for name in (f"r-{each:02}" for each in range(ROUNDS)):
        folder = workspace.plans / name
        folder.mkdir(parents=True)
        pq.write_table(_plan(name, planned), folder / PLAN_FILE)
        (folder / RECORD_FILE).write_text("{}", encoding="utf-8")
    publication = SimpleNamespace(model_version="m", feature_version="f", policy_version="p", as_of=DRAWN_ON)
    snapshot = SimpleNamespace(find=lambda sku_ids, _: np.zeros(len(sku_ids), dtype=np.int64))
    published = cast(OnlineStore, SimpleNamespace(publication=publication, snapshot=snapshot))
    return Bench(LabResultIntake(open_database(f"sqlite:///{home / 'state.db'}"), workspace, published), planned)


def _lake_tests() -> pa.Table:
    rows = {name: pa.nulls(LAKE_TESTS, SCHEMA.field(name).type) for name in LAB_TESTS.column_names}
    told = {"sku_id": "K-00000", "market": "DE", "result": "pass", "origin": "warehouse", "version": 1}
    rows |= {name: pa.repeat(pa.scalar(value, SCHEMA.field(name).type), LAKE_TESTS) for name, value in told.items()}
    rows |= {name: pa.repeat(pa.scalar(date(2026, 1, 1)), LAKE_TESTS) for name in ("happened_on", "known_on")}
    return pa.table({**rows, "test_id": pa.array([f"T-{number:07}" for number in range(LAKE_TESTS)])})


def _plan(round_id: str, tests: int) -> pa.Table:
    same = {"round_id": round_id, "market": "DE", "package": "EN 71-3", "lab_id": "LAB-1", "method": "chemistry",
            "as_of": DRAWN_ON, "due_on": DRAWN_ON + timedelta(days=28), "inclusion_probability": 0.1}  # fmt: skip
    return pa.Table.from_pylist([{**same, "sku_id": f"K-{unit:05}", "stratum": 0} for unit in range(tests)])


def measure(bench: Bench, number: int) -> dict[str, Any]:
    """Milliseconds of hand-ins by tenth, and of what reads all of them at the end."""
    workspace = bench.intake.workspace
    milliseconds = [1_000 * bench.hand_in(each) for each in range(number)]
    tenth = max(number // 10, 1)
    tenths = [milliseconds[start : start + tenth] for start in range(0, number, tenth)]
    reads: dict[str, Callable[[], object]] = {
        "every accepted result (training, `score`)": lambda: accepted_results(workspace),
        "every result in the version that counts (estimate)": lambda: current_results(workspace),
        "how far one round is, from the files": lambda: round_status(workspace, "r-00"),
        "number of hand-ins and fingerprint (`GET /catalogue/status`)": lambda: (
            len(result_hand_ins(workspace).names()), tables_fingerprint(workspace)
        ),
    }  # fmt: skip
    return {
        "hand_ins": number, "lake_tests": LAKE_TESTS, "rounds": ROUNDS,
        "files": len(result_hand_ins(workspace).files()),
        "tenths": [{"median_ms": statistics.median(each), "p99_ms": float(np.quantile(each, 0.99)),
                    "worst_ms": max(each)} for each in tenths],
        "reads_ms": {name: _milliseconds(read) for name, read in reads.items()},
    }  # fmt: skip


def _milliseconds(read: Callable[[], object]) -> float:
    """The median of five readings after a first."""
    read()
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        read()
        seconds.append(time.perf_counter() - begun)
    return 1_000 * statistics.median(seconds)


def _sections(measured: dict[str, Any]) -> list[str]:
    tenths = measured["tenths"]
    ratio = tenths[-1]["median_ms"] / tenths[0]["median_ms"]
    flat = "flat" if ratio <= MOST_RATIO else f"not flat (at most {MOST_RATIO:g} was asked)"
    intro = (
        f"{measured['hand_ins']:,} hand-ins of one result each, of {measured['rounds']} rounds, beside a lake of "
        f"{measured['lake_tests']:,} tests: validated, stored in SQLite, filed, counted. The last tenth takes "
        f"{ratio:.2f} times as long as the first: {flat}. The results lie in {measured['files']} files at the end."
    )
    rows = [
        [f"{number + 1} of {len(tenths)}", *(f"{each[name]:.1f}" for name in ("median_ms", "p99_ms", "worst_ms"))]
        for number, each in enumerate(tenths)
    ]
    reads = [[name, f"{value:.1f}"] for name, value in measured["reads_ms"].items()]
    return [
        intro,
        "## A hand-in\n\n" + table(["tenth", "median ms", "99 % ms", "worst ms"], rows),
        "## Reading all of them afterwards\n\n" + table(["what", "median ms"], reads),
    ]


if __name__ == "__main__":
    main()
