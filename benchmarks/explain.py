"""SHAP values and interactions: the engine against what a user would pick, on the same models, rows and one thread.

`make bench-explain` runs the demo for its champion, then this in an environment of the newest rivals.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.explain_limit import operations_per_second, work_of
from benchmarks.explain_models import ExplainedModel, Matrix, ModelShape, champion, grow
from benchmarks.explain_page import sections
from benchmarks.explain_rivals import (
    ENGINES,
    LIGHTGBM,
    OURS,
    SHAP,
    SHAPIQ,
    VALUES,
    WOODELF,
    XGBOOST,
    AbsentError,
    Explain,
    Kind,
    quietly,
    sums_by_feature,
)
from benchmarks.process import run_anew
from benchmarks.report import interleaved_medians, machine, versions, write_report

SHAPES = (
    ModelShape("A", 300, 31, 16_384, 2_048),
    ModelShape("B", 600, 127, 2_048, 512),
    ModelShape("As woodelf publishes", 100, 64, 16_384, 8_192, depth=6, features=127),
    ModelShape("A with categories", 300, 31, 16_384, 2_048, categorical=True),
)
PEERS = ("shap", "shapiq", "woodelf-explainer", "xgboost-cpu")
LATENCY_ROWS = (1, 10, 1_000)
ALONE_ROWS = 1_000
LONGEST_ALONE_SECONDS = 60.0


@dataclass(frozen=True)
class Effort:
    """How long to measure: seconds of one run of an engine, rounds, and the seconds that no request exceeds.

    `alone` are the engines that first run in a process of their own: with a time limit, for it may not end.
    """

    seconds: float = 0.3
    rounds: int = 3
    longest_seconds: float = 5.0
    compared_rows: int = 32
    alone: tuple[str, ...] = (OURS, LIGHTGBM, SHAP, WOODELF, SHAPIQ)


@dataclass(frozen=True)
class Candidate:
    """An engine that is ready: its function, the rows it explains at once, and about how many seconds a row takes."""

    explain: Explain
    rows: int
    row_seconds: float


def measure(model: ExplainedModel, kind: Kind, effort: Effort, folder: Path) -> dict[str, Any]:
    """By engine: microseconds a row, rows at once, milliseconds of few rows, difference and start, or why not."""
    most = model.shape.rows if kind == "values" else model.shape.pair_rows
    few = model.rows[: effort.compared_rows]
    contributions = VALUES[LIGHTGBM](model)(few)[:, : model.shape.features]
    engines: dict[str, dict[str, Any]] = {}
    candidates: dict[str, Candidate] = {}
    for name, make in ENGINES[kind].items():
        try:
            start = _alone(model, kind, name, folder) if name in effort.alone else {}
            explain = make(model)
            sums = sums_by_feature(quietly(explain, few), model.shape)
            candidates[name] = _candidate(name, explain, model.rows[:most], effort)
        except AbsentError as reason:
            engines[name] = {"absent": str(reason)}
            continue
        except Exception as error:  # whatever a rival raises is the reason that the page gives
            engines[name] = {"absent": f"it fails ({type(error).__name__}: {str(error)[:120]})"}
            continue
        difference = None if sums is None or name == XGBOOST else float(np.abs(sums - contributions).max())
        engines[name] = {"rows": candidates[name].rows, "difference": difference, **start}
    runs = {name: partial(quietly, each.explain, model.rows[: each.rows]) for name, each in candidates.items()}
    for name, seconds in interleaved_medians(runs, effort.rounds).items():
        engines[name]["us_per_row"] = 1e6 * seconds / candidates[name].rows
    for name, each in candidates.items():
        engines[name]["ms"] = {n: _milliseconds(each, model, n, effort) for n in LATENCY_ROWS}
    return engines


def _alone(model: ExplainedModel, kind: Kind, name: str, folder: Path) -> dict[str, Any]:
    """Start and memory of an engine in a process of its own; nothing of one that refuses, which then says why here."""
    if model.shape.categorical and name == WOODELF:
        return {}
    np.save(folder / "alone.npy", model.rows[:ALONE_ROWS])
    (folder / "alone.txt").write_text(model.text, encoding="utf-8")
    command = ("-m", "benchmarks.explain_alone", str(folder / "alone.txt"), str(folder / "alone.npy"), kind, name)
    try:
        if name == OURS:
            run_anew(*command)  # what is compiled lies on disk afterwards
        measured: dict[str, Any] = json.loads(run_anew(*command, timeout_seconds=LONGEST_ALONE_SECONDS)[0])
    except subprocess.TimeoutExpired as error:
        raise AbsentError(f"it takes more than {LONGEST_ALONE_SECONDS:.0f} s for its first rows") from error
    except subprocess.CalledProcessError as error:
        if error.returncode < 0:
            raise AbsentError(f"signal {-error.returncode} ends it in a process of its own") from error
        return {}
    return measured


def _candidate(name: str, explain: Explain, rows: Matrix, effort: Effort) -> Candidate:
    """The rows that fill the seconds of a run; woodelf, which prepares anew each time, and treeshap get all."""
    gets_all = name.startswith((OURS, WOODELF))
    probe = len(rows) if gets_all else min(32, len(rows))
    started = time.perf_counter()
    quietly(explain, rows[:probe])
    row_seconds = (time.perf_counter() - started) / probe
    if gets_all:
        return Candidate(explain, probe, row_seconds)
    return Candidate(explain, int(np.clip(effort.seconds / row_seconds, 4, len(rows))), row_seconds)


def _milliseconds(candidate: Candidate, model: ExplainedModel, count: int, effort: Effort) -> float | None:
    """Median milliseconds of a request of so many rows; None where one would take too long."""
    if candidate.row_seconds * count > effort.longest_seconds:
        return None
    rows = model.rows[:count]
    taken: list[float] = []
    while len(taken) < 21 and sum(taken) < effort.seconds:
        started = time.perf_counter()
        quietly(candidate.explain, rows)
        taken.append(time.perf_counter() - started)
    return 1e3 * statistics.median(taken)


def limit(model: ExplainedModel, rate: float, measured_us: float) -> dict[str, float]:
    """The work of a row's contributions, its least microseconds at this rate, and the share of the time that is it."""
    work = work_of(model.text)
    least = 1e6 * work.operations / rate
    return {**work._asdict(), "least_us": least, "share": least / measured_us}


def installed(names: Sequence[str]) -> dict[str, str]:
    """The versions of those that are installed, `absent` for the others."""
    result: dict[str, str] = {}
    for name in names:
        try:
            result |= versions(name)
        except PackageNotFoundError:
            result[name] = "absent"
    return result


def run(models: Sequence[Callable[[], ExplainedModel]], folder: Path, effort: Effort) -> Path:
    """Measure every model and write the report."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read when the first rival is imported
    measured: dict[str, Any] = {
        "machine": machine(),
        "versions": installed(("lightgbm", "numba", "numpy", *PEERS)),
        "operations_per_second": operations_per_second(),
        "models": {},
    }
    kinds: tuple[Kind, ...] = ("values", "interactions")
    for make in models:
        model = make()
        result: dict[str, Any] = {"shape": asdict(model.shape), "heading": str(model.shape)}
        for kind in kinds:
            sys.stderr.write(f"{model.shape}: {kind}\n")
            result[kind] = measure(model, kind, effort, folder)
        ours = result["values"][OURS]["us_per_row"]
        result["limit"] = limit(model, measured["operations_per_second"], ours)
        measured["models"][model.shape.name] = result
    return write_report("explain", "Explaining", measured, sections(measured))


def main(folder: Path) -> None:
    """Measure the demo's champion, then the grown models."""
    models = [partial(champion, folder), *(partial(grow, shape) for shape in SHAPES)]
    sys.stdout.write(run(models, folder, Effort()).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
