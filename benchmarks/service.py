"""The service: a score of ten SKUs with explanations beside a BentoML endpoint that returns a constant, and under load.

Run with `python -m benchmarks.service [WORKSPACE]`, a workspace with scores; without one the demo's is made first.
"""

import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.report import machine, table, versions, write_report
from benchmarks.served import Client, Server, served
from data.settings import read_settings
from data.state.database import open_state
from data.workspace import Workspace
from serving.access.keys import create_key
from serving.published import published_now

SKUS_PER_QUESTION = 10
ROUNDS, WARM_ROUNDS = 2_000, 200
CLIENTS, LOAD_SECONDS, SETTLE_SECONDS = 16, 60, 15
MOST_TIMES, MOST_P99_MS = 2.0, 25.0

Question = dict[str, Any]


def questions(workspace: Workspace, count: int) -> list[Question]:
    """So many questions, each for ten SKUs drawn from the catalogue."""
    snapshot, draw = published_now(workspace).snapshot, random.Random(7)  # noqa: S311 - which SKUs are asked for
    keys = snapshot.keys(0, len(snapshot)).select(["sku_id", "market"]).to_pylist()
    return [{"items": draw.sample(keys, SKUS_PER_QUESTION), "explain": True} for _ in range(count)]


def secrets_of(workspace: Workspace) -> list[str]:
    """Keys of the service, one per client: a key may not ask without limit."""
    engine = open_state(read_settings(workspace.home).database_address)
    made = [create_key(engine, f"client {n}", "scheduler", datetime.now(UTC), "benchmark") for n in range(CLIENTS)]
    engine.dispose()
    return [secret for _, secret in made]


def latencies(service: Server, constant: Server, asked: Sequence[Question], secrets: Sequence[str]) -> dict[str, Any]:
    """Milliseconds of one client that asks both in turn, after a warm-up."""
    scores, constants = [Client(service, secret) for secret in secrets], Client(constant)
    took: dict[str, list[float]] = {"score": [], "constant": []}
    sizes = []
    for number in range(-WARM_ROUNDS, ROUNDS):
        seconds, status, told = scores[number % CLIENTS].ask("/score", asked[number % len(asked)])
        idle, _, _ = constants.ask("/constant", {})
        if status != 200 or len(json.loads(told)["scores"]) != SKUS_PER_QUESTION:
            raise RuntimeError(f"The service answered {status}: {told[:300]!r}")
        if number >= 0:
            took["score"].append(1e3 * seconds)
            took["constant"].append(1e3 * idle)
            sizes.append(len(told))
    said = {name: _quantiles(times) for name, times in took.items()}
    return {**said, "times": said["score"]["median"] / said["constant"]["median"], "bytes": statistics.mean(sizes)}


def under_load(service: Server, asked: Sequence[Question], secrets: Sequence[str]) -> dict[str, Any]:
    """Clients that ask without pause: answers, errors, milliseconds, and the memory of the service by the second."""
    until, lock = time.monotonic() + SETTLE_SECONDS + LOAD_SECONDS, threading.Lock()
    took: list[float] = []
    statuses: dict[int, int] = {}

    def ask(number: int) -> None:
        client = Client(service, secrets[number])
        mine: list[float] = []
        counted: dict[int, int] = {}
        at = number
        while time.monotonic() < until:
            seconds, status, _ = client.ask("/score", asked[at % len(asked)])
            mine.append(1e3 * seconds)
            counted[status] = counted.get(status, 0) + 1
            at += CLIENTS
        with lock:
            took.extend(mine)
            for status, count in counted.items():
                statuses[status] = statuses.get(status, 0) + count

    clients = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    memory = []
    while time.monotonic() < until:
        time.sleep(1)
        memory.append(service.worker_mib())
    for client in clients:
        client.join()
    start, end = statistics.median(memory[SETTLE_SECONDS:][:10]), statistics.median(memory[-10:])
    return {
        "seconds": SETTLE_SECONDS + LOAD_SECONDS, "answers": sum(statuses.values()), **_quantiles(took),
        "errors": sum(count for status, count in statuses.items() if status != 200),
        "mib_at_start": start, "mib_at_end": end, "mib": memory,
    }  # fmt: skip


def _quantiles(milliseconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(milliseconds, n=100)
    return {"median": cuts[49], "p95": cuts[94], "p99": cuts[98], "most": max(milliseconds)}


def sections(measured: dict[str, Any]) -> list[str]:
    """The page."""
    one, load = measured["one_client"], measured["load"]
    rows = [
        [name, *(f"{one[key][cut]:.2f}" for cut in ("median", "p95", "p99", "most"))]
        for name, key in (("`POST /score`", "score"), ("constant", "constant"))
    ]
    per_second = load["answers"] / load["seconds"]
    return [
        f"One client asks in turn for the scores of {SKUS_PER_QUESTION} SKUs with explanations (other SKUs each time, "
        f"{one['bytes'] / 1e3:.0f} kB an answer) and a BentoML endpoint that returns a constant; one worker each, a "
        f"key checked at every question, {ROUNDS:,} rounds. Milliseconds from the request to the last byte:",
        table(["", "median", "p95", "p99", "most"], rows),
        f"The median is **{one['times']:.2f} times** that of the constant (at most {MOST_TIMES:.0f} is asked), p99 "
        f"{one['score']['p99']:.1f} ms (under {MOST_P99_MS:.0f} is asked).",
        f"{CLIENTS} clients that ask without pause for {load['seconds']} s: {load['answers']:,} answers "
        f"({per_second:,.0f} a second, clients on the same cores), **{load['errors']} errors**, median "
        f"{load['median']:.0f} ms, p99 {load['p99']:.0f} ms. Memory of the service without the files it maps: "
        f"{load['mib_at_start']:.1f} MiB after {SETTLE_SECONDS} s, {load['mib_at_end']:.1f} MiB at the end, "
        f"where it had held still (within 1 MiB) for {_still(load['mib'])} s.",
    ]


def _still(mib: Sequence[float]) -> int:
    """For how many seconds before the end the memory was what it is at the end, to 1 MiB."""
    return next((n for n, each in enumerate(reversed(mib)) if abs(each - mib[-1]) > 1), len(mib))


def main() -> None:
    """Measure and report."""
    with tempfile.TemporaryDirectory() as made:
        home = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else _demo(Path(made))
        asked, secrets = questions(Workspace(home), 500), secrets_of(Workspace(home))
        environment = {"TOUCHSTONE_HOME": str(home), "TOUCHSTONE_INSECURE": ""}
        logs = Path(made)
        with (
            served("serving.service:Touchstone", environment, logs / "service.log") as service,
            served("benchmarks.constant_service:Constant", {}, logs / "constant.log") as constant,
        ):
            one = latencies(service, constant, asked, secrets)
            load = under_load(service, asked, secrets)
    measured = {
        "one_client": one, "load": load, "machine": machine(),
        "versions": versions("bentoml", "starlette", "uvicorn", "pydantic", "pyarrow", "numpy"),
    }  # fmt: skip
    page = write_report("service", "The service", measured, sections(measured))
    print(page.read_text(encoding="utf-8"))


def _demo(folder: Path) -> Path:
    command = [sys.executable, "-m", "touchstone", "--home", str(folder), "demo", "--no-serve"]
    subprocess.run(command, check=True)  # noqa: S603 - our own command line
    return folder / "demo"


if __name__ == "__main__":
    main()
