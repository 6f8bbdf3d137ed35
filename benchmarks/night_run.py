"""One night of one workspace in a process of its own: the seconds, CPU seconds and memory of every step.

`python -P benchmarks/night_run.py HOME DELIVERY DAY` prints JSON. It imports nothing of `benchmarks`, so that it
measures whichever checkout PYTHONPATH names.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

INGEST = "ingest"
STEPS = {
    "review reading": ("features.review_text.incremental", "read_lake"),
    "features": ("features.snapshot.writer", "write_snapshot"),
    "dossiers": ("serving.dossiers.writer", "write_dossiers"),
    "indicators": ("serving.kpis.aggregate", "compute_totals"),
    "scores": ("serving.scoring.batch", "CatalogueScores.write"),
    "queue": ("serving.review_queue.build", "build_queue"),
    "publish": ("serving.publication", "publish write_publication put_into_service"),
}
"""The function that is a step, in the module that defines it: where it is called from may change.

Of several functions those that the checkout has are the step.
"""
SAMPLES_PER_SECOND = 20


class StepMeter:
    """Seconds, CPU seconds and peak memory in MiB of each step: `peak` with mapped files, `own` without."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, float]] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure one step; steps of the same name add up."""
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # sets the peak back to the memory of now
        done, owned = threading.Event(), [memory_mib("RssAnon")]
        watch = threading.Thread(target=_watch, args=(done, owned))
        watch.start()
        started, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            took, used = time.perf_counter() - started, time.process_time() - cpu
            done.set()
            watch.join()
            before = self.steps.get(name, {})
            now = {"seconds": took, "cpu_seconds": used}
            peaks = {"peak_mib": memory_mib("VmHWM"), "own_mib": max(owned)}
            self.steps[name] = {
                **{each: value + before.get(each, 0.0) for each, value in now.items()},
                **{each: max(value, before.get(each, 0.0)) for each, value in peaks.items()},
            }

    def watch(self, name: str, module: str, function: str) -> None:
        """Measure every call of a function, where there is one of this name, as the step `name`."""
        *classes, last = function.split(".")
        holder: Any = reduce(getattr, classes, import_module(module))
        watched: Callable[..., Any] | None = getattr(holder, last, None)
        if watched is None:
            return

        def measured(*given: Any, **named: Any) -> Any:
            with self.step(name):
                return watched(*given, **named)

        setattr(holder, last, measured)


def _watch(done: threading.Event, owned: list[float]) -> None:
    while not done.wait(1 / SAMPLES_PER_SECOND):
        owned.append(memory_mib("RssAnon"))


def memory_mib(field: str) -> float:
    """A field of the process's status, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def run_night(home: Path, delivery: Path, as_of: date) -> dict[str, Any]:
    """Ingest the delivery and score the catalogue; what every step took, and the whole."""
    started, cpu, meter = time.perf_counter(), time.process_time(), StepMeter()
    # A module that imports the functions of others has them as they are then: it comes last, for a method of its own.
    for name, (module, functions) in sorted(STEPS.items(), key=lambda each: "." in each[1][1]):
        for function in functions.split():
            meter.watch(name, module, function)
    from data.ingest.pipeline import IngestOptions, ingest_folder
    from data.progress import SilentProgress
    from data.settings import Settings
    from data.workspace import Workspace
    from serving.scoring.batch import score_day

    with meter.step(INGEST):
        ingest_folder(delivery, Workspace(home), IngestOptions(date(2026, 12, 31)))
    score_day(Settings(Workspace(home), None), as_of, SilentProgress())
    seconds, used = time.perf_counter() - started, time.process_time() - cpu
    return {"steps": {name: meter.steps[name] for name in (INGEST, *STEPS)}, "seconds": seconds, "cpu_seconds": used}


if __name__ == "__main__":
    json.dump(run_night(Path(sys.argv[1]), Path(sys.argv[2]), date.fromisoformat(sys.argv[3])), sys.stdout)
