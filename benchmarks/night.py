"""A whole night of a large marketplace, the first and the next: seconds, memory and disk of each step.

`python -m benchmarks.night [--skus N] [--beside CHECKOUT]` writes results/night.{json,md}, above a million SKUs
results/night_<millions>m.{json,md}. With another checkout of the
code its nights are measured in the same run, on the same rows and with the same model.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks import catalogue
from benchmarks.big_marketplace import AS_OF, FINGERPRINT, write_big_marketplace
from benchmarks.ingest import write_day
from benchmarks.process import run_anew
from benchmarks.report import machine, table, versions, write_report
from data.workspace import Workspace
from features.snapshot.reader import open_snapshot
from models.registry import set_champion, store_model

SKUS, FEW_SKUS = 1_000_000, 60
BUSY, NEW_DAY_BUSY = 2.0, 6.5
"""Twice the usual events of a SKU, some 22 rows a SKU in all; of a new day so many that it brings 0.4 % of the rows."""
TREES, LEAVES = 136, 7
"""The size of the model that the default recipe fits to the sample marketplace."""
KEPT_DAYS = 7
LATEST = frozenset({"snapshots", "dossiers", "queues", "publications"})
"""Folders of which retention keeps the days in service and before only."""
NIGHTS = ("first", "next")
CHECKOUT = Path(__file__).parent.parent


@dataclass(frozen=True)
class NightInputs:
    """What all nights are given: the folder of the whole tables, the one of the next day, and a workspace's model."""

    tables: Path
    next_day: Path
    models: Path
    rows: int
    new_rows: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", nargs="?", help="unused: `make bench-night` names one")
    parser.add_argument("--skus", type=int, default=SKUS)
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="Measure the code of this folder as well.")
    parser.add_argument("--folder", type=Path, help="Where to work; 4 kB a SKU are needed. Default: the temporary one.")
    asked = parser.parse_args(arguments)
    checkouts = {"this": CHECKOUT, **({"before": asked.beside.resolve()} if asked.beside else {})}
    with tempfile.TemporaryDirectory(prefix="touchstone-night-", dir=asked.folder) as folder:
        inputs = _write_inputs(Path(folder), asked.skus)
        if asked.beside:
            _warm_up(checkouts, Path(folder) / "few", inputs)
        # Night after night, and in each night code after code, so that a busy minute is everybody's.
        nights: dict[str, dict[str, Any]] = {name: {} for name in checkouts}
        for number, night in enumerate(NIGHTS):
            for name, checkout in checkouts.items():
                nights[name][night] = _run(checkout, Path(folder) / name, inputs, number)
    measured = {
        "machine": machine(), "versions": versions("duckdb", "polars", "pyarrow"), "skus": asked.skus,
        "rows": inputs.rows, "new_rows": inputs.new_rows, "kept_days": KEPT_DAYS, "nights": nights,
        "kept_bytes": _kept_bytes(*(nights["this"][night]["bytes"] for night in NIGHTS)),
    }  # fmt: skip
    name = "night" if asked.skus <= SKUS else f"night_{asked.skus // 1_000_000}m"
    page = write_report(name, "A night, step by step", measured, _sections(measured))
    sys.stdout.write(page.read_text(encoding="utf-8"))


def _write_inputs(folder: Path, skus: int) -> NightInputs:
    """The marketplace, one more day of it, and a champion."""
    counts = write_big_marketplace(folder / "given", skus, BUSY)
    tables = folder / "given" / "lake" / FINGERPRINT
    next_day = write_day(tables, folder / "day", 0, by_key=False, busy=NEW_DAY_BUSY)
    new_rows = sum(pq.read_metadata(path).num_rows for path in next_day.rglob("*.parquet"))
    return NightInputs(tables, next_day, store_champion(folder / "sample"), sum(counts.values()), new_rows)


def _warm_up(checkouts: Mapping[str, Path], folder: Path, inputs: NightInputs) -> None:
    """A night of few SKUs with each checkout: bytecode and compiled kernels are on disk from then on."""
    write_big_marketplace(folder / "given", FEW_SKUS, BUSY)
    few = replace(inputs, tables=folder / "given" / "lake" / FINGERPRINT)
    for name, checkout in checkouts.items():
        _run(checkout, folder / name, few, 0)


def store_champion(home: Path) -> Path:
    """A champion of TREES x LEAVES, fitted to a sample marketplace; the folder of models that holds it."""
    workspace = Workspace(home)
    snapshot = open_snapshot(catalogue.sample_snapshot(workspace))
    set_champion(workspace, store_model(workspace, catalogue.grow(snapshot, TREES, LEAVES)))
    return workspace.models


def _run(checkout: Path, home: Path, inputs: NightInputs, number: int) -> dict[str, Any]:
    """One night in a process of its own, with the code of `checkout`: what `night_run` prints, and bytes by folder."""
    if not number:
        home.mkdir(parents=True)
        Workspace(home).models.symlink_to(inputs.models)
    delivery, as_of = (inputs.tables, inputs.next_day)[number], AS_OF + timedelta(days=number)
    script = Path(__file__).with_name("night_run.py")
    printed, seconds = run_anew("-P", str(script), str(home), str(delivery), str(as_of), code=checkout)
    measured: dict[str, Any] = json.loads(printed)
    return {**measured, "seconds": seconds, "bytes": _bytes_by_folder(home)}


def _bytes_by_folder(home: Path) -> dict[str, int]:
    """The bytes on disk in each folder of a workspace; a file with two names counts once."""
    sizes: dict[str, dict[int, int]] = {}
    for path in home.rglob("*"):
        if path.is_file():
            status = path.stat()
            sizes.setdefault(path.relative_to(home).parts[0], {})[status.st_ino] = status.st_size
    return {name: sum(files.values()) for name, files in sorted(sizes.items())}


def _kept_bytes(first: Mapping[str, int], following: Mapping[str, int]) -> dict[str, int]:
    """The bytes of each folder when KEPT_DAYS are kept: what the second day added to it, for each further day.

    Of LATEST there are never more than the days in service and before, which the second night has.
    """
    days = KEPT_DAYS - len(NIGHTS)
    return {
        name: size + (0 if name in LATEST else days * max(size - first.get(name, 0), 0))
        for name, size in following.items()
    }


def _sections(measured: Mapping[str, Any]) -> list[str]:
    """The page: what was run, the steps of each night, the disk."""
    nights, skus = measured["nights"], measured["skus"]
    after, kept = nights["this"]["next"]["bytes"], measured["kept_bytes"]
    first = nights["this"]["first"]["bytes"]
    sizes = [(name, size, size - first.get(name, 0), kept[name]) for name, size in after.items()]
    disk = [(name, *(f"{size / skus:,.0f}" for size in few)) for name, *few in sizes]
    return [
        f"A marketplace of {skus:,} SKUs and {measured['rows']:,} rows, and a next day of {measured['new_rows']:,} "
        f"rows ({measured['new_rows'] / measured['rows']:.1%}). Each night ingests and scores with reasons, with a "
        f"model of {TREES} trees x {LEAVES} leaves, in a process of its own, timed from its start to its end. Memory "
        "is the largest resident set in a step, mapped files included, and in brackets without them.",
        *(
            f"**{_name(name)}, {night} night: {run['seconds']:.0f} s**, {run['cpu_seconds']:.0f} CPU seconds\n\n"
            + table(("step", "seconds", "CPU seconds", "peak MiB (own)"), _steps(run))
            for night in NIGHTS
            for name, run in ((name, runs[night]) for name, runs in nights.items())
        ),
        *_against(nights),
        "Bytes per SKU on disk: after both nights, what the second added, and with "
        f"{measured['kept_days']} scored days ({sum(kept.values()) / 1e9:.1f} GB in all, computed from what a day "
        "adds; of snapshots, dossiers, queues and publications the days in service and before are kept):",
        table(("folder", "after both", "a day", f"{measured['kept_days']} days"), disk),
    ]  # fmt: skip


def _steps(run: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (name, f"{each['seconds']:.1f}", f"{each['cpu_seconds']:.1f}",
         f"{each['peak_mib']:,.0f} ({each['own_mib']:,.0f})")
        for name, each in run["steps"].items()
    ]  # fmt: skip


def _name(name: str) -> str:
    return {"this": "This code", "before": "The code before"}[name]


def _against(nights: Mapping[str, Any]) -> list[str]:
    if "before" not in nights:
        return []
    ratios = (
        f"{night} {nights['before'][night]['seconds'] / nights['this'][night]['seconds']:.1f}" for night in NIGHTS
    )
    return [f"The code before takes so many times as long: {', '.join(ratios)}."]


if __name__ == "__main__":
    main()
