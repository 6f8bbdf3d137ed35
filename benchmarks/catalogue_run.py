"""One scoring of one snapshot in a process of its own.

`python -m benchmarks.catalogue_run HOME SNAPSHOT` prints JSON.
"""

import json
import os
import resource
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.progress import TerminalProgress
from data.workspace import Workspace
from features.snapshot.reader import Snapshot, open_snapshot
from models.calibration import Calibration
from models.registry import load_champion
from models.treeshap import Engine
from serving.publication import put_into_service
from serving.score_rows import RowScorer
from serving.scoring import batch
from serving.scoring.batch import prepare_snapshot


class Stopwatch:
    """CPU seconds of each stage, over all threads."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    def watch(self, owner: Any, name: str, stage: str) -> None:
        """Count the time of every call of `owner.name`."""
        watched = getattr(owner, name)

        def timed(*given: Any, **named: Any) -> Any:
            started = time.thread_time()
            try:
                return watched(*given, **named)
            finally:
                with self._lock:
                    self.seconds[stage] += time.thread_time() - started

        setattr(owner, name, timed)


def watched() -> Stopwatch:
    """A stopwatch on the stages of scoring."""
    stopwatch = Stopwatch()
    for owner, name, stage in (
        (Snapshot, "matrix", "gather"), (Snapshot, "keys", "gather"), (Engine, "top", "explain"),
        (Calibration, "p_fail_with_interval", "calibrate"), (RowScorer, "score_rows", "rows and reasons"),
        (batch.CatalogueScores, "_write_unranked", "all unranked"),
        (batch.CatalogueScores, "_margins", "ranks"), (batch, "compute_ranks", "ranks"),
        (batch.CatalogueScores, "_write_part", "Parquet"),
    ):  # fmt: skip
        stopwatch.watch(owner, name, stage)
    return stopwatch


def main() -> None:
    """Score, and print what it took."""
    workspace, folder = Workspace(Path(sys.argv[1])), Path(sys.argv[2])
    artifact, stopwatch = load_champion(workspace), watched()
    started = time.perf_counter()
    snapshot = open_snapshot(folder)
    put_into_service(workspace, prepare_snapshot(workspace, snapshot, artifact, TerminalProgress()))
    seconds = time.perf_counter() - started
    cpu = dict(stopwatch.seconds)
    inside = ("gather", "explain", "calibrate", "rows and reasons")
    cpu["staging"] = cpu.pop("all unranked") - sum(cpu[stage] for stage in inside)
    scores = workspace.scores(snapshot.as_of)
    rows = sum(pq.read_metadata(path).num_rows for path in scores.iterdir())
    size = sum(path.stat().st_size for path in scores.iterdir())
    json.dump({
        "scoring_seconds": seconds, "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "cpu_seconds": cpu, "parquet_bytes_per_sku": size / rows, "threads": os.cpu_count(), "arrow": pa.__version__,
    }, sys.stdout)  # fmt: skip


if __name__ == "__main__":
    main()
