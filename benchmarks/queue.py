"""How long pages of the console and `/screen` take with a million SKUs and 10,000 restrictions in force.

Run with `python -m benchmarks.queue [WORKSPACE]`, or `make bench-queue WORKSPACE=FOLDER`: a workspace that was scored
with dossiers. A folder without scores is filled first by the product's own commands, which takes some 20 minutes. The
casework is written to a database beside it, once a day, and measured in a copy.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.casework import count_casework, create_keys, open_desk, write_casework
from benchmarks.console_pages import LIMIT_MS, ROUNDS, ROUNDS_AFTER, measure_pages
from benchmarks.report import machine, table, versions, write_report
from benchmarks.screening import KINDS, MOST_P99_MS, measure_propagation, measure_screening, screening_questions
from benchmarks.served import served
from data.workspace import Workspace
from models.risk_bands import bands_in_force
from serving.online.store import OnlineStore
from serving.publication import published_name, read_publication
from serving.review_queue.format import read_queue_details
from serving.review_queue.writer import RankedCatalogue, clock_starts, write_queue
from serving.score_rows import RankedScores

SKUS = 1_000_000
SERVICE = "serving.service:Touchstone"
CASEWORK_SECONDS = 24 * 3600
"""Casework is written anew after so long, before its pauses end."""


def main() -> None:
    """Prepare what is not there, measure, and report."""
    with tempfile.TemporaryDirectory() as made:
        workspace = Workspace(Path(sys.argv[1] if len(sys.argv) > 1 else made).resolve())
        if published_name(workspace) is None:
            prepare(workspace.home)
        database = Path(made) / "measured.db"
        shutil.copyfile(_casework(workspace), database)
        measured = measure(workspace, database)
        page = write_report("queue", "The console and the screening at size", measured, _sections(measured))
    print(page.read_text(encoding="utf-8"))


def prepare(home: Path) -> None:
    """A marketplace of SKUS, scored with dossiers by the champion of the demo's smaller one."""
    _touchstone("--home", str(home), "sample-data", "--out", str(home / "sample"), "--skus", str(SKUS))
    _touchstone("--home", str(home), "ingest", str(home / "sample"))
    _touchstone("--home", str(home / "small"), "demo", "--no-serve")
    shutil.copytree(home / "small" / "demo" / "models", home / "models")
    _touchstone("--home", str(home), "score")


def _touchstone(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "touchstone", *arguments], check=True)  # noqa: S603 - our own command line


def _casework(workspace: Workspace) -> Path:
    """The database of the casework of the publication in service, written unless it is there."""
    path = workspace.home / f"casework-{published_name(workspace)}.db"
    if not path.exists() or time.time() - path.stat().st_mtime > CASEWORK_SECONDS:
        attempt = path.with_suffix(".attempt")
        write_casework(workspace, attempt)
        attempt.replace(path)
    return path


def measure(workspace: Workspace, database: Path) -> dict[str, Any]:
    """All figures of a workspace whose casework is in `database`."""
    address, logs = f"sqlite:///{database}", database.parent
    desk = open_desk(workspace, address)
    counts, keys, store = count_casework(desk.context.engine), create_keys(desk.context.engine), desk.store
    asked = screening_questions(desk)
    environment = {"TOUCHSTONE_HOME": str(workspace.home), "TOUCHSTONE_DATABASE_URL": address,
                   "TOUCHSTONE_INSECURE": ""}  # fmt: skip
    with served(SERVICE, environment, logs / "service.log") as service:
        memory = {"ready_own_mib": service.memory().own_mib}
        screening = measure_screening(service, asked, keys.clients)
        pages = measure_pages(desk, service, keys.officer)
        held = service.memory()
        memory |= {"own_mib": held.own_mib, "resident_mib": held.resident_mib, "peak_mib": service.peak_mib()}
    two = environment | {"BENTOML_CONFIG_OPTIONS": "services.touchstone.workers=2"}
    with served(SERVICE, two, logs / "two_workers.log") as service:
        before = service.worker_ticks()
        propagation = measure_propagation(desk, service, keys.clients)
        propagation["workers"] = sum(ticks > before[pid] for pid, ticks in service.worker_ticks().items())
    desk.context.engine.dispose()
    return {
        "skus": len(store.snapshot), "suppliers": len(set(store.queue.column("supplier").tolist())),
        "casework": counts, "queue": build_seconds(workspace, store, logs / "queue"), "pages": pages,
        "screening": screening, "propagation": propagation, "memory": memory, "machine": machine(),
        "versions": versions("bentoml", "fastapi", "jinja2", "numpy", "pyarrow", "sqlalchemy"),
    }  # fmt: skip


def build_seconds(workspace: Workspace, store: OnlineStore, folder: Path) -> dict[str, float]:
    """Seconds to build the queue, and those of them to find what started the clocks in the dossiers."""
    publication, ranks, p_fail = read_publication(workspace, store.name)
    start = time.perf_counter()
    starts = clock_starts(store.dossiers)
    found = time.perf_counter()
    details = read_queue_details(workspace.home / publication.scores, len(store.snapshot))
    scores, bands = RankedScores(ranks, p_fail), bands_in_force(publication.as_of)
    write_queue(RankedCatalogue(store.snapshot, store.dossiers.titles, scores, bands, details, starts), folder)
    return {"seconds": time.perf_counter() - start, "clock_starts_seconds": found - start}


def _sections(measured: dict[str, Any]) -> list[str]:
    pages, casework, memory = measured["pages"], measured["casework"], measured["memory"]
    one, load, propagation = measured["screening"]["one_client"], measured["screening"]["load"], measured["propagation"]
    keys = ("first_ms", "median_ms", "p95_ms", "max_ms", "after_decision_median_ms", "after_decision_max_ms")
    rows = [[name, *(f"{each[key]:.0f}" for key in keys)] for name, each in pages.items()]
    quick = sum(max(each["p95_ms"], each["after_decision_median_ms"]) < LIMIT_MS for each in pages.values())
    slowest = max(max(each["max_ms"], each["after_decision_max_ms"]) for each in pages.values())
    asked = [
        [KINDS.get(kind, "all of them"), *(f"{value:.1f}" for value in each.values())] for kind, each in one.items()
    ]
    return [
        f"A sample marketplace of {measured['skus']:,} SKUs and {measured['suppliers']:,} suppliers, scored with "
        f"dossiers; {casework['restrictions']:,} restrictions in force, {casework['other_decisions']:,} other "
        f"decisions with the facts that their officers saw, {casework['proposals']:,} proposals, "
        f"{casework['letters']:,} letters, {casework['results']:,} laboratory results since the scoring. One worker of "
        "the service, asked over HTTP by an officer who took or approved a third of the decisions. Each page is asked "
        f"for {ROUNDS + 1} times in turn; then {ROUNDS_AFTER} times, each right after another process put a decision "
        "into force. Milliseconds to the last byte:",
        table(("page", "first", "median", "p95", "slowest", "median after a decision", "slowest after one"), rows),
        f"**{quick} of {len(pages)} pages stay below {LIMIT_MS:.0f} ms** in 95 of 100 requests without a change "
        f"and in the median right after a decision; the slowest request after the first took {slowest:.0f} ms. The "
        "first request of a worker also reads files and decisions from disk.",
        "`POST /screen`, one client, listings of four kinds in turn; what is not simply allowed is written to the "
        "ledger before the answer. Milliseconds:",
        table(("listing", "median", "p99", "slowest"), asked),
        f"p99 of all: **{one['all']['p99_ms']:.1f} ms** (under {MOST_P99_MS:.0f} is asked). {load['clients']} clients "
        f"without pause for {load['seconds']} s, on the same cores: {load['answers']:,} answers "
        f"({load['answers'] / load['seconds']:.0f} a second), {load['errors']} errors, median {load['median_ms']:.0f} "
        f"ms, p99 {load['p99_ms']:.0f} ms.",
        f"A pause approved in one process, {propagation['workers']} workers of a service in others, "
        f"{propagation['connections']} connections: after {propagation['approvals']} approvals "
        f"**{propagation['late_answers']} answers did not hold**; all connections had answered `hold` after "
        f"{propagation['all_held_median_ms']:.0f} ms in the median, {propagation['all_held_max_ms']:.0f} ms at most, "
        "one asked after the other.",
        f"Memory of the service: {memory['own_mib']:.0f} MiB its own after all of it ({memory['ready_own_mib']:.0f} "
        f"when it was ready), {memory['resident_mib']:.0f} with the pages of the files that it maps; "
        f"{memory['peak_mib']:.0f} at the peak. The queue takes {measured['queue']['seconds']:.1f} s to build, "
        f"{measured['queue']['clock_starts_seconds']:.1f} s of them to find what started the clocks.",
    ]


if __name__ == "__main__":
    main()
