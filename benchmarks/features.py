"""Features: the pipeline at size, the next day's work, and the same features by hand in Polars, DuckDB and pandas.

Run with `python -m benchmarks.features [SKUS ...]` (default 100,000 and 1,000,000; 10,000,000 needs 20 GB of disk).
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.big_marketplace import AS_OF, write_big_marketplace
from benchmarks.duckdb_features import features_in_duckdb
from benchmarks.pandas_features import features_in_pandas
from benchmarks.peers import PEER_FEATURES
from benchmarks.polars_features import features_in_polars
from benchmarks.report import interleaved_medians, machine, table, versions, write_report
from data.lake.contents import write_contents
from data.lake.partitions import measure_content, rows_in_months, write_months
from data.lake.store import open_lake
from data.lake.tables import Tables
from data.progress import SilentProgress
from data.workspace import Workspace
from features.definition import KEYS, Entity, Feature, left_join_missing
from features.fitted_tables import FittedTables
from features.groups.lab_history import entity_keys
from features.point_in_time import point_in_time_join
from features.registry import BY_NAME, FEATURE_NAMES
from features.review_text.incremental import read_lake
from features.snapshot.entities import SnapshotDate, row_column
from features.snapshot.matrices import catalogue_features
from features.snapshot.writer import catalogue_on, write_snapshot

SUPPLIER, TOUCHSTONE = row_column("supplier"), "touchstone"
SIZES = (100_000, 1_000_000)
PEER_SKUS, ROUNDS, AGREEMENT = 1_000_000, 3, 1e-9
MEMORY_LIMIT = "5GB"
"""What DuckDB may take; Arrow, NumPy and the files written come on top."""


def snapshot_seconds(home: Path, day: int) -> dict[str, float]:
    """Seconds and peak GiB of this process for the snapshot of AS_OF + `day`; reviews read earlier are reused."""
    workspace = Workspace(home)
    started = time.perf_counter()
    as_of, tables = AS_OF + timedelta(day), read_lake(workspace)
    tables.backend.raw_sql(f"SET memory_limit = '{MEMORY_LIMIT}'")
    folder = workspace.snapshot(as_of)
    write_snapshot(tables, as_of, FittedTables.untrained(), folder, SilentProgress())
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak_gib": _peak_gib()}


def _peak_gib() -> float:
    """The largest resident memory of this process; `getrusage` would tell that of its parent where it was larger."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 2**20


def measure_size(home: Path, skus: int) -> dict[str, Any]:
    """Full and next-day snapshot of one size, each in a process of its own."""
    counts = write_big_marketplace(home, skus)
    events = sum(rows for name, rows in counts.items() if name not in ("skus", "suppliers"))
    _keep_reviews_by_month(home)
    found: dict[str, Any] = {"skus": skus, "events": events, "reviews": counts["reviews"]}
    for name, day in (("full", 0), ("next_day", 1)):
        if name == "next_day":
            shutil.rmtree(Workspace(home).snapshot(AS_OF))
            _add_a_day_of_reviews(home)
        command = [sys.executable, "-m", "benchmarks.features", "--snapshot", str(home), str(day)]
        told = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - this very program
        found[name] = json.loads(told.stdout.splitlines()[-1])
    return found


def _keep_reviews_by_month(home: Path) -> None:
    """The reviews of the lake in one folder a month, with their sums by day beside them."""
    tables = open_lake(Workspace(home))
    folder, rows = Workspace(home).lake / tables.fingerprint, tables["reviews"]
    content = measure_content(rows, by_day=True)
    write_months(tables.backend, lambda _: rows.order_by("sku_id", "happened_on"), content, folder / "reviews")
    write_contents(folder, {"reviews": content})
    (folder / "reviews.parquet").unlink()


def _add_a_day_of_reviews(home: Path) -> None:
    """A two-hundredth of the reviews once more, as of the day AS_OF."""
    tables = open_lake(Workspace(home))
    reviews, before = tables["reviews"], tables.contents["reviews"]
    new = reviews.filter(reviews.review_id.hash().abs() % 200 == 0).mutate(
        review_id=reviews.review_id + "-new", happened_on=ibis.literal(AS_OF), known_on=ibis.literal(AS_OF)
    )
    folder, content = Workspace(home).lake / tables.fingerprint, before.plus(measure_content(new, by_day=True))
    rows = reviews.union(new)
    write_months(tables.backend, lambda months: rows_in_months(rows, months), content, folder / "reviews")
    for part in set(before.parts.values()) - set(content.parts.values()):
        shutil.rmtree(folder / "reviews" / part)
    write_contents(folder, {"reviews": content})


def peer_frame(tables: Tables) -> pd.DataFrame:
    """The features that the peers compute too, of every SKU on AS_OF."""
    of = declared_features()
    snapshot = SnapshotDate(AS_OF, tables, FittedTables.untrained())
    with catalogue_features(snapshot, [*of["sku"], *of["supplier"]]) as catalogue:
        skus, suppliers = catalogue.entities["sku"], catalogue.matrix(catalogue.entities["supplier"], of["supplier"])
        keys = catalogue.backend.to_pyarrow(skus.rows.order_by(skus.column).select(*KEYS["sku"], SUPPLIER))
        matrix = np.empty((len(keys), len(PEER_FEATURES)), order="F")
        own, shared = np.split(matrix, [len(of["sku"])], axis=1)
        catalogue.write(skus, of["sku"], own)
    owner = keys[SUPPLIER].to_numpy().astype(np.intp)
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda values, column: np.take(values, owner, out=column, mode="clip"), suppliers.T, shared.T))
    frame = pd.DataFrame(matrix, columns=[feature.name for entity in of.values() for feature in entity], copy=False)
    for position, name in enumerate(KEYS["sku"]):
        frame.insert(position, name, keys[name].to_pandas())
    return frame


def declared_features() -> Mapping[Entity, list[Feature]]:
    """The declarations of PEER_FEATURES by entity."""
    entities: tuple[Entity, ...] = ("sku", "supplier")
    return {entity: [BY_NAME[name] for name in PEER_FEATURES if BY_NAME[name].entity == entity] for entity in entities}


def joined_frame(tables: Tables) -> pa.Table:
    """The same by the other executor: joined to the day on DuckDB, as training rows are."""
    of, reference, keys = declared_features(), FittedTables.untrained(), list(KEYS["supplier"])
    days = left_join_missing(catalogue_on(tables, AS_OF), entity_keys(tables).select(*KEYS["sku"], *keys), KEYS["sku"])
    suppliers = point_in_time_join(days.select(*keys, "as_of").distinct(), tables, reference, of["supplier"])
    wide = left_join_missing(point_in_time_join(days, tables, reference, of["sku"]), suppliers, [*keys, "as_of"])
    return tables.backend.to_pyarrow(wide.select(*KEYS["sku"], *PEER_FEATURES))


def of_lake(peer: Callable[[Path, Path, date], Any]) -> "Callable[[Path, Tables], Any]":
    """The frame of a peer, from the files that the tables are read from."""

    def frame(home: Path, tables: Tables) -> Any:
        workspace = Workspace(home)
        return peer(workspace.lake / tables.fingerprint, workspace.review_signals, AS_OF)

    return frame


SIDES: Mapping[str, Callable[[Path, Tables], Any]] = {
    TOUCHSTONE: lambda _, tables: peer_frame(tables),
    "the same declarations on DuckDB": lambda _, tables: joined_frame(tables),
    "Polars by hand": of_lake(features_in_polars),
    "DuckDB SQL by hand": of_lake(features_in_duckdb),
    "pandas with codes": of_lake(features_in_pandas),
}


def serve_side(name: str, home: Path) -> None:
    """Make the frame of one side whenever a line comes in, and say so."""
    tables = read_lake(Workspace(home))
    for _ in sys.stdin:
        SIDES[name](home, tables)
        print("made", flush=True)


@contextmanager
def side(name: str, home: Path) -> Iterator[Callable[[], None]]:
    """What makes the frame of one side once, in a process of its own: neither cleans up after the other."""
    command = [sys.executable, "-m", "benchmarks.features", "--side", name, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        asked, told = process.stdin, process.stdout
        if asked is None or told is None:
            raise RuntimeError("There are no pipes to the process.")

        def make() -> None:
            asked.write("\n")
            asked.flush()
            if not told.readline():
                raise RuntimeError(f"The side {name!r} has stopped; its own output says why.")

        yield make


def against_peers(home: Path, skus: int) -> dict[str, Any]:
    """All sides from the same Parquet files to a frame in memory: medians of interleaved runs, and the difference."""
    write_big_marketplace(home, skus)
    tables = read_lake(Workspace(home))
    with ExitStack() as stack:
        seconds = interleaved_medians({name: stack.enter_context(side(name, home)) for name in SIDES}, ROUNDS)
    found = {name: _sorted(make(home, tables)) for name, make in SIDES.items()}
    differences = {name: largest_difference(found[TOUCHSTONE], frame) for name, frame in found.items()}
    return {"skus": skus, "features": len(PEER_FEATURES), "seconds": seconds,
            "largest_difference": max(differences.values())}  # fmt: skip


def _sorted(rows: Any) -> pd.DataFrame:
    """The rows of any library as a frame by SKU."""
    frame = rows if isinstance(rows, pd.DataFrame) else rows.to_pandas()
    return frame.set_index(list(KEYS["sku"])).sort_index()[list(PEER_FEATURES)].astype("float64")


def largest_difference(found: pd.DataFrame, expected: pd.DataFrame) -> float:
    """The largest difference of any value; AssertionError where SKUs, missing values or values differ."""
    if not found.index.equals(expected.index):
        raise AssertionError("Two sides answered different SKUs.")
    np.testing.assert_allclose(found, expected, rtol=0, atol=AGREEMENT)
    return float(np.nanmax(np.abs(found.to_numpy() - expected.to_numpy())))


def report(sizes: list[dict[str, Any]], peer: dict[str, Any]) -> Path:
    """Write the page."""
    rows = [
        [f"{size['skus']:,}", f"{size['events']:,}", *(f"{size[kind][key]:.1f}" for kind in ("full", "next_day")
         for key in ("seconds", "peak_gib"))] for size in sizes
    ]  # fmt: skip
    columns = ["SKUs", "events", "full s", "peak GiB", "next day s", "peak GiB"]
    against = (
        f"{peer['features']} of the {len(FEATURE_NAMES)} features, {peer['skus']:,} SKUs. Medians of {ROUNDS} "
        "interleaved runs, Parquet files to a frame in memory, each side in a process of its own that has made the "
        f"frame once before, on every core (pandas on one); the largest difference of any value is "
        f"{peer['largest_difference']:.1e}. All take the reviews as read for hazards, from the same files, and know "
        "SKUs by the lake's codes. The peers compute every feature of SKUs and suppliers that orders, returns, "
        f"reviews, lab tests and certificates tell: {', '.join(PEER_FEATURES)}."
    )
    seconds = sorted(peer["seconds"].items(), key=lambda each: each[1])
    sections = [
        "A snapshot of the whole catalogue: all features of all SKUs on one day, from the lake to the files on disk. "
        "Reviews are kept by day: the next day brings a two-hundredth more of them, all on one new day, and only they "
        f"are read for hazards; all else is computed in full. DuckDB may take {MEMORY_LIMIT} and spills beyond.",
        table(columns, rows), "## Against the same features by hand",
        table(["side", "seconds"], [[name, f"{value:.1f}"] for name, value in seconds]), against,
    ]  # fmt: skip
    about = {"machine": machine(), "versions": versions("duckdb", "ibis-framework", "pandas", "polars", "pyarrow")}
    return write_report("features", "Features at size", {**about, "sizes": sizes, "peers": peer}, sections)


def main(arguments: list[str]) -> None:
    """Measure and report; or, as a process of its own, write one snapshot or serve one side."""
    if arguments[:1] == ["--snapshot"]:
        print(json.dumps(snapshot_seconds(Path(arguments[1]), int(arguments[2]))))
        return
    if arguments[:1] == ["--side"]:
        serve_side(arguments[1], Path(arguments[2]))
        return
    with tempfile.TemporaryDirectory() as scratch:
        peer = against_peers(Path(scratch) / "peer", PEER_SKUS)
        shutil.rmtree(Path(scratch) / "peer")
        sizes = []
        for skus in [int(text) for text in arguments] or SIZES:
            home = Path(scratch) / str(skus)
            sizes.append(measure_size(home, skus))
            shutil.rmtree(home)
    print(report(sizes, peer))


if __name__ == "__main__":
    main(sys.argv[1:])
