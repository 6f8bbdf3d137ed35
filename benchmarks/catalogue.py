"""The whole catalogue scored from a ready snapshot: time per stage, peak memory and linearity, beside LightGBM.

Run with `python -m benchmarks.catalogue [SKUs ...]`; without numbers 100 thousand to 10 million.
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.big_snapshot import BigSnapshot
from benchmarks.process import run_anew
from benchmarks.report import interleaved_medians, machine, table, versions, write_report
from data.ingest.pipeline import ingest
from data.progress import SilentProgress
from data.synthetic.generator import write_sample
from data.workspace import Workspace
from features.fitted_tables import FittedTables
from features.review_text.incremental import read_lake
from features.snapshot.reader import Snapshot, open_snapshot
from features.snapshot.writer import write_snapshot
from models.artifact import Artifact, ArtifactParts
from models.calibration import fit_calibration
from models.reasons import top_reasons
from models.registry import load_model, set_champion, store_model
from models.risk_bands import bands_in_force
from models.scorer import Explanations
from serving.score_rows import RowScorer, score_batch

SIZES = (100_000, 200_000, 500_000, 1_000_000, 10_000_000)
AS_OF = date(2026, 7, 1)
SAMPLE_SKUS, SAMPLE_DAYS = 20_000, 730
TREES, LEAVES = 300, 31
PEER_ROWS = 2_000
REPEATED_UP_TO, ROUNDS = 1_000_000, 3
STAGES = ("gather", "explain", "calibrate", "rows and reasons", "staging", "ranks", "Parquet")


def sample_snapshot(workspace: Workspace) -> Path:
    """The snapshot of a sample marketplace."""
    sample, folder = workspace.home / "sample", workspace.snapshot(AS_OF) / "sample"
    write_sample(sample, SAMPLE_SKUS, SAMPLE_DAYS, seed=1)
    ingest(sample, workspace, AS_OF)
    write_snapshot(read_lake(workspace), AS_OF, FittedTables.untrained(), folder, SilentProgress())
    return folder


def grow(snapshot: Snapshot, trees: int = TREES, leaves: int = LEAVES) -> ArtifactParts:
    """A model of trees x leaves on all features, for failures simulated from a dozen of them: its size counts here."""
    draw = np.random.default_rng(1)
    matrix = snapshot.matrix(0, len(snapshot))
    frame = pd.DataFrame(matrix)
    spread = ((frame - frame.mean()) / (frame.std() + 1e-9)).fillna(0.0).to_numpy()
    logit = spread @ (draw.normal(size=matrix.shape[1]) * (draw.random(matrix.shape[1]) < 0.3)) * 0.4 - 1.5
    failed = (draw.random(len(matrix)) < 1.0 / (1.0 + np.exp(-logit))).astype(np.float64)
    recipe = {"objective": "binary", "num_leaves": leaves, "learning_rate": 0.05, "verbosity": -1, "seed": 1,
              "num_threads": 2, "deterministic": True}  # fmt: skip
    names = list(snapshot.feature_names)
    booster = lightgbm.train(recipe, lightgbm.Dataset(matrix, failed, feature_name=names), trees)
    margin = np.asarray(booster.predict(matrix, raw_score=True))
    return ArtifactParts(
        booster_text=booster.model_to_string(), calibration=fit_calibration(margin[:5_000], failed[:5_000]),
        feature_names=snapshot.feature_names, feature_version=snapshot.feature_version,
        reference=FittedTables.untrained(), recipe_text="", metrics={}, card="A model for measuring.\n",
    )  # fmt: skip


def scored(workspace: Workspace, folder: Path) -> dict[str, Any]:
    """Score the snapshot in `folder` in a process of its own: seconds, bytes, peak memory and CPU per stage.

    `seconds` is the whole process with interpreter and imports, `scoring_seconds` what it scores and writes in.
    """
    printed, seconds = run_anew("-m", "benchmarks.catalogue_run", str(workspace.home), str(folder))
    told: dict[str, Any] = json.loads(printed)
    return {"seconds": seconds, **told}


def fitted(runs: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Seconds to start and per SKU: the line through all sizes with the smallest squares of relative residuals."""
    skus, seconds = (np.array([run[name] for run in runs], dtype=np.float64) for name in ("skus", "seconds"))
    start, slope = np.linalg.lstsq(np.column_stack([1.0 / seconds, skus / seconds]), np.ones(len(runs)), rcond=None)[0]
    return float(start), float(slope)


def beside_lightgbm(artifact: Artifact, snapshot: Snapshot) -> dict[str, float]:
    """Microseconds per score row with reasons on two threads, with the engine and with LightGBM's contributions."""
    scorer = RowScorer(artifact, snapshot.as_of, bands_in_force(snapshot.as_of), threads=2)
    booster = lightgbm.Booster(model_str=artifact.booster_text)
    matrix = snapshot.matrix(0, PEER_ROWS)
    (keys,) = snapshot.keys(0, PEER_ROWS).combine_chunks().to_batches()
    seconds = interleaved_medians({
        "engine": partial(score_batch, scorer, keys, matrix),
        "LightGBM pred_contrib": partial(_lightgbm_rows, scorer, booster, keys, matrix),
    }, rounds=3)  # fmt: skip
    return {name: 1e6 * taken / PEER_ROWS for name, taken in seconds.items()}


def _lightgbm_rows(
    scorer: RowScorer, booster: lightgbm.Booster, keys: pa.RecordBatch, matrix: NDArray[np.float64]
) -> pa.RecordBatch:
    contributions = np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=2))[:, :-1]
    top, told = top_reasons(contributions), scorer.probabilities(matrix)
    strongest = np.take_along_axis(contributions, top, axis=1)
    return scorer.score_rows(
        keys, matrix, Explanations(told.margin, told.p_fail, told.p_low, told.p_high, top.astype(np.int32), strongest)
    )


def sections(measured: dict[str, Any]) -> list[str]:
    """The page: what was done, the sizes, the stages and the peer."""
    runs, peer = measured["runs"], measured["us_per_row"]
    start, slope = measured["line"]
    sizes = [
        (f"{run['skus']:,}", f"{run['seconds']:.1f}", f"{start + slope * run['skus']:.1f}",
         f"{run['seconds'] / (start + slope * run['skus']) - 1:+.0%}", f"{run['seconds'] - run['scoring_seconds']:.1f}",
         f"{run['skus'] / run['seconds']:,.0f}", f"{run['peak_gib']:.2f}", f"{run['parquet_bytes_per_sku']:.0f}")
        for run in runs
    ]  # fmt: skip
    stages = [
        (f"{run['skus']:,}", *(f"{1e6 * run['cpu_seconds'][stage] / run['skus']:.2f}" for stage in STAGES))
        for run in runs
    ]
    return [
        f"`touchstone score` with the features ready: snapshot to Parquet with interval and five reasons, on "
        f"{measured['threads']} threads. The model has {TREES} trees x {LEAVES} leaves on {measured['features']} "
        "features and was fitted to simulated failures; the snapshots are rows drawn from that of a sample marketplace "
        f"of {SAMPLE_SKUS:,} SKUs, with as many more suppliers and factories. Each run is a process of its own, timed "
        f"from its start to its end; up to {REPEATED_UP_TO:,} SKUs the median of {ROUNDS} interleaved runs. Memory is "
        "its peak resident set, mapped files included.",
        table(("SKUs", "seconds", "line", "residual", "of which interpreter and imports", "SKUs/s", "peak GiB",
               "Parquet bytes/SKU"), sizes),
        f"The line: {start:.1f} s to start (interpreter, imports, compiled code from disk, self-check) and "
        f"{1e6 * slope:.1f} µs per SKU, fitted to all sizes by their relative residuals.",
        "CPU time per SKU and stage in µs (both threads added up; the rest is starting and publishing):",
        table(("SKUs", *STAGES), stages),
        f"The same rows with LightGBM's own contributions: {peer['LightGBM pred_contrib']:,.0f} µs/SKU against "
        f"{peer['engine']:.1f}, {peer['LightGBM pred_contrib'] / peer['engine']:.0f}x ({PEER_ROWS:,} rows, 2 threads, "
        "medians of interleaved rounds, without gathering and files).",
    ]  # fmt: skip


def measure(workspace: Workspace, folders: Mapping[int, Path]) -> list[dict[str, Any]]:
    """One run per number of SKUs: of the small ones the median of interleaved rounds."""
    few = {skus: folder for skus, folder in folders.items() if skus <= REPEATED_UP_TO}
    scored(workspace, next(iter(folders.values())))  # bytecode and compiled kernels are on disk from here on
    rounds = [{skus: scored(workspace, folder) for skus, folder in few.items()} for _ in range(ROUNDS)]
    runs = []
    for skus, folder in folders.items():
        found = [each[skus] for each in rounds] if skus in few else [scored(workspace, folder)]
        runs.append({"skus": skus, **sorted(found, key=lambda run: float(run["seconds"]))[len(found) // 2]})
    return runs


def main() -> None:
    """Measure every size and write the report."""
    wanted = tuple(map(int, sys.argv[1:])) or SIZES
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace(Path(home).resolve())
        sample = sample_snapshot(workspace)
        version = store_model(workspace, grow(open_snapshot(sample), TREES, LEAVES))
        set_champion(workspace, version)
        folders = {skus: workspace.snapshot(AS_OF) / f"big-{skus}" for skus in wanted}
        for skus, folder in folders.items():
            snapshot = BigSnapshot(sample, skus, seed=1).write(folder)
        runs = measure(workspace, folders)
        measured = {
            "machine": machine(), "versions": versions("lightgbm", "numba", "numpy", "pyarrow"), "runs": runs,
            "threads": runs[0]["threads"], "features": len(snapshot.feature_names), "line": fitted(runs),
            "us_per_row": beside_lightgbm(load_model(workspace, version), snapshot),
        }  # fmt: skip
        del snapshot
    page = write_report("catalogue", "Scoring the whole catalogue", measured, sections(measured))
    sys.stdout.write(page.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
