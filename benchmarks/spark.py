"""Scoring on Spark at size, features and all, beside one machine with DuckDB; and what 100 million SKUs would cost.

Run with `python -m benchmarks.spark [SKUS ...]` (default 20,000, 200,000 and 1,000,000); needs Java 17 and pyspark.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.big_marketplace import AS_OF, write_big_marketplace
from benchmarks.catalogue import LEAVES, TREES, grow, sample_snapshot
from benchmarks.process import run_anew
from benchmarks.report import machine, table, versions, write_report
from data.progress import Advance
from data.workspace import Workspace
from features.review_text.incremental import read_lake
from features.snapshot.reader import open_snapshot
from models.artifact import ArtifactParts
from models.registry import load_champion, set_champion, store_model
from serving.scoring.batch import score_catalogue

SIZES = (20_000, 200_000, 1_000_000)
ENGINES = ("duckdb", "spark")
STEPS = {"features": "Features", "scores": "Scores", "ranks": "Ranks"}
MASTER, CORES = "local[2]", 2
LARGE, EUR_PER_CORE_HOUR = 100_000_000, 0.05
OPTIONS = {
    "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false",
    "spark.driver.memory": "8g", "spark.sql.shuffle.partitions": "16", "spark.log.level": "ERROR",
}  # fmt: skip


class Stopwatch:
    """A progress that keeps the seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, title: str, total: int, unit: str = "steps") -> Iterator[Advance]:
        """Time the step."""
        sys.stderr.write(f"{title}: {total:,} {unit} ...\n")
        started = time.perf_counter()
        yield lambda _: None
        self.seconds[title] = time.perf_counter() - started


def scored(home: Path, engine: str) -> dict[str, float]:
    """Score the catalogue in this process: seconds of each step, and of the rest."""
    workspace, watch, started = Workspace(home), Stopwatch(), time.perf_counter()
    artifact = load_champion(workspace)
    if engine == "duckdb":
        score_catalogue(workspace, read_lake(workspace), artifact, AS_OF, watch)
    else:
        from serving.scoring.spark import score_on_spark, spark_session

        with spark_session(MASTER, options=OPTIONS) as session:
            score_on_spark(session, workspace, artifact, AS_OF, watch)
    found = {name: sum(s for title, s in watch.seconds.items() if title.startswith(word))
             for name, word in STEPS.items()}  # fmt: skip
    return {**found, "rest": time.perf_counter() - started - sum(found.values())}


def measure(home: Path, skus: int, model: ArtifactParts) -> dict[str, Any]:
    """A marketplace of one size scored by both engines, each in a process of its own."""
    counts = write_big_marketplace(home, skus)
    workspace = Workspace(home)
    set_champion(workspace, store_model(workspace, model))
    found: dict[str, Any] = {"skus": skus, "events": sum(counts.values()) - counts["skus"] - counts["suppliers"]}
    for engine in ENGINES:
        printed, seconds = run_anew("-m", "benchmarks.spark", "--one", str(home), engine)
        found[engine] = {"seconds": seconds, **json.loads(printed.splitlines()[-1])}
        sys.stderr.write(f"{skus:,} {engine}: {found[engine]}\n")
    return found


def line(sizes: Sequence[dict[str, Any]], step: str) -> tuple[float, float]:
    """Seconds to start and seconds per SKU of one step on Spark, between the smallest and the largest size."""
    first, last = sizes[0], sizes[-1]
    slope = (last["spark"][step] - first["spark"][step]) / (last["skus"] - first["skus"])
    return float(first["spark"][step] - slope * first["skus"]), float(slope)


def sections(measured: dict[str, Any]) -> list[str]:
    """The page: both engines by size, and the extrapolation."""
    sizes = measured["sizes"]
    steps = ("features", "scores", "ranks", "rest", "seconds")
    rows = [
        (f"{size['skus']:,}", f"{size['events']:,}", engine, *(f"{size[engine][step]:.1f}" for step in steps))
        for size in sizes
        for engine in ENGINES
    ]
    lines = {step: line(sizes, step) for step in steps}
    per_sku = sum(lines[step][1] for step in steps[:3])
    core_hours = CORES * per_sku * LARGE / 3600
    return [
        f"`touchstone score` with nothing computed before, features and all, on {MASTER} and on one machine with "
        f"DuckDB; a model of {TREES} trees x {LEAVES} leaves. One run each, each in a process of its own. On Spark the "
        "features of each entity are written under `features`, and joined to one row per SKU under `scores`.",
        table(("SKUs", "events", "engine", *steps[:-1], "all, seconds"), rows),
        f"The line through the smallest and the largest size, on {MASTER}:",
        table(("step", "start, s", "µs per SKU"),
              [(step, f"{start:.1f}", f"{1e6 * slope:.1f}") for step, (start, slope) in lines.items()]),
        f"{LARGE:,} SKUs on this line: {per_sku * 1e6:.0f} µs x {CORES} cores = {core_hours:,.0f} core-hours, "
        f"{core_hours * EUR_PER_CORE_HOUR:,.0f} EUR at an assumed {EUR_PER_CORE_HOUR:.2f} EUR per core-hour. Assumed "
        "as well: shuffles and the file system keep pace with more nodes, and no key grows with the catalogue.",
    ]  # fmt: skip


def main(arguments: list[str]) -> None:
    """Measure and report; or, as a process of its own, score once."""
    if arguments[:1] == ["--one"]:
        sys.stdout.write(json.dumps(scored(Path(arguments[1]), arguments[2])) + "\n")
        return
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch).resolve()
        model = grow(open_snapshot(sample_snapshot(Workspace(home / "sample"))))
        sizes = []
        for skus in [int(text) for text in arguments] or SIZES:
            sizes.append(measure(home / str(skus), skus, model))
            shutil.rmtree(home / str(skus))
    about = {"machine": machine(), "versions": versions("pyspark", "ibis-framework", "duckdb", "pyarrow", "numba")}
    measured = {**about, "master": MASTER, "options": OPTIONS, "sizes": sizes}
    page = write_report("spark", "Scoring on Spark", measured, sections(measured))
    sys.stdout.write(page.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(sys.argv[1:])
