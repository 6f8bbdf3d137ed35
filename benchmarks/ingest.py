# ruff: noqa: S608 - the SQL is made of this file alone.
"""Ingest of a large marketplace: the whole history first, then one day after the other, by folders of days and by key.

`python -m benchmarks.ingest [--skus N]` writes results/ingest.{json,md}. A night must cost what its day brings.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.big_marketplace import FINGERPRINT, UNTIL, write_big_marketplace
from benchmarks.process import run_anew
from benchmarks.report import machine, table, versions, write_report
from data.contract import BY_NAME
from data.ingest.pipeline import IngestOptions, ingest_folder
from data.lake.store import open_lake
from data.workspace import Workspace

SKUS = 1_000_000
MOST_SHARE = 0.1
NEW_ROWS = {
    "orders": (100, "sku_id, market, {day} AS happened_on, 1 AS units"),
    "reviews": (330, "'N-{n}-' || sku_id AS review_id, sku_id, market, {day} AS happened_on, 4 AS rating, "
                     "'Works as described so far.' AS text, 'en' AS language"),
    "returns": (1000, "'N-{n}-' || sku_id AS return_id, sku_id, market, {day} AS happened_on, 'other' AS reason"),
}  # fmt: skip
"""Of how many SKUs one has a row in the new day, and the row."""


def main() -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skus", type=int, default=SKUS)
    parser.add_argument("--ingest", nargs=3, metavar=("HOME", "DIR", "BY_KEY"), help="One ingest, measured.")
    asked = parser.parse_args()
    if asked.ingest:
        home, folder, by_key = asked.ingest
        print(json.dumps(_ingest_once(Path(home), Path(folder), by_key=by_key == "yes")))
        return
    with tempfile.TemporaryDirectory(prefix="touchstone-ingest-") as folder:
        measured = _measure(Path(folder), asked.skus)
    measured |= {"machine": machine(), "versions": versions("duckdb", "ibis-framework", "pyarrow")}
    print(write_report("ingest", "Ingest: the first night and the next", measured, _sections(measured)))


def _measure(folder: Path, skus: int) -> dict[str, Any]:
    counts = write_big_marketplace(folder / "given", skus)
    source, home = folder / "given" / "lake" / FINGERPRINT, folder / "workspace"
    nights = {"first ingest, whole tables": _run(home, source, by_key=False)}
    nights["the same files again"] = _run(home, source, by_key=False)
    for n, (name, by_key) in enumerate((("folders of days", False), ("by key", True), ("folders of days", False))):
        given = write_day(source, folder / f"day{n}", n, by_key=by_key)
        nights[f"day {n + 1}, {name}"] = {**_run(home, given, by_key=by_key), "rows": _rows_in(given)}
    tables = open_lake(Workspace(home))
    events = {name: tables[name].count().to_pyarrow().as_py() for name in NEW_ROWS}
    return {
        "skus": skus, "events": sum(rows for name, rows in counts.items() if BY_NAME[name].timed),
        "rows_after": events, "fingerprint": tables.fingerprint, "nights": nights,
    }  # fmt: skip


def write_day(source: Path, folder: Path, n: int, *, by_key: bool, busy: float = 1.0) -> Path:
    """The rows of the n-th day after the history, as a delivery; `busy` times as many as usual."""
    day = UNTIL + timedelta(days=n + 1)
    with duckdb.connect() as database:
        for name, (one_in, row) in NEW_ROWS.items():
            columns = row.format(day=f"DATE '{day}'", n=n)
            target = folder / f"{name}.parquet"
            if not by_key:
                columns = columns.replace(f"DATE '{day}' AS happened_on, ", "")
                target = folder / name / f"happened_on={day}" / "rows.parquet"
            target.parent.mkdir(parents=True, exist_ok=True)
            chosen = f"hash(sku_id, {n}, '{name}') % {one_in / busy:.0f} = 0"
            query = f"SELECT {columns} FROM '{source}/skus.parquet' WHERE {chosen}"
            database.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet)")
    return folder


def _rows_in(folder: Path) -> int:
    with duckdb.connect() as database:
        files = [str(path) for path in folder.rglob("*.parquet")]
        return sum(database.execute(f"SELECT count(*) FROM '{file}'").fetchall()[0][0] for file in files)


def _run(home: Path, folder: Path, *, by_key: bool) -> dict[str, Any]:
    """One ingest in a process of its own."""
    output, _ = run_anew("-m", "benchmarks.ingest", "--ingest", str(home), str(folder), "yes" if by_key else "no")
    measured: dict[str, Any] = json.loads(output.splitlines()[-1])
    return measured


def _ingest_once(home: Path, folder: Path, *, by_key: bool) -> Mapping[str, float]:
    start, cpu = time.perf_counter(), time.process_time()
    report = ingest_folder(folder, Workspace(home), IngestOptions(date(2026, 12, 31), by_key=by_key))
    seconds, used = time.perf_counter() - start, time.process_time() - cpu
    print(report, file=sys.stderr)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "cpu_seconds": used, "peak_mib": peak_mib}


def _sections(measured: Mapping[str, Any]) -> Sequence[str]:
    nights = measured["nights"]
    first = next(iter(nights.values()))
    days = [each for name, each in nights.items() if name.startswith("day")]
    worst = max(each["seconds"] for each in days) / first["seconds"]
    rows = [
        [name, f"{each.get('rows', 0):,}" if "rows" in each else "", f"{each['seconds']:.1f}",
         f"{each['cpu_seconds']:.1f}", f"{each['seconds'] / first['seconds']:.0%}", f"{each['peak_mib']:,.0f}"]
        for name, each in nights.items()
    ]  # fmt: skip
    return [
        f"A marketplace of {measured['skus']:,} SKUs and {measured['events']:,} events, given as Parquet. Each ingest "
        "runs in a process of its own; seconds are those of the ingest without the start of Python.",
        table(("ingest", "rows given", "seconds", "CPU seconds", "of the first", "peak MiB"), rows),
        f"The dearest of the next days takes **{worst:.1%}** of the first ingest ({MOST_SHARE:.0%} is asked), and the "
        f"third day {days[-1]['seconds'] / days[0]['seconds']:.2f} times as long as the first by the same way.",
    ]


if __name__ == "__main__":
    main()
