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
from data.database.connection import open_database
from data.settings import read_settings
from data.workspace import Workspace
from serving.auth.api_keys import create_key
from serving.online.store import open_online_store

SKUS_PER_QUESTION = 10
ROUNDS, WARM_ROUNDS = 2_000, 200
CLIENTS, WARM_SECONDS, LOAD_SECONDS = 16, 60, 60
MOST_TIMES, MOST_P99_MS, MOST_GROWTH = 2.0, 25.0, 0.01
CONSTANTS = {"constant": "/constant", "constant_from_thread": "/constant_from_thread"}

Question = dict[str, Any]


def questions(workspace: Workspace, count: int) -> list[Question]:
    """So many questions, each for ten SKUs drawn from the catalogue."""
    snapshot, draw = open_online_store(workspace).snapshot, random.Random(7)  # noqa: S311 - which SKUs are asked for
    keys = snapshot.keys(0, len(snapshot)).select(["sku_id", "market"]).to_pylist()
    return [{"items": draw.sample(keys, SKUS_PER_QUESTION), "explain": True} for _ in range(count)]


def secrets_of(workspace: Workspace) -> list[str]:
    """Keys of the service, one per client: a key may not ask without limit."""
    engine = open_database(read_settings(workspace.home).database_address)
    made = [create_key(engine, f"client {n}", "scheduler", datetime.now(UTC), "benchmark") for n in range(CLIENTS)]
    engine.dispose()
    return [secret for _, secret in made]


def latencies(service: Server, constant: Server, asked: Sequence[Question], secrets: Sequence[str]) -> dict[str, Any]:
    """Milliseconds of one client that asks the service and both constants in turn, after a warm-up."""
    scores, constants = [Client(service, secret) for secret in secrets], Client(constant)
    took: dict[str, list[float]] = {name: [] for name in ("score", *CONSTANTS)}
    sizes = []
    for number in range(-WARM_ROUNDS, ROUNDS):
        seconds, status, told = scores[number % CLIENTS].ask("/score", asked[number % len(asked)])
        if status != 200 or len(json.loads(told)["scores"]) != SKUS_PER_QUESTION:
            raise RuntimeError(f"The service answered {status}: {told[:300]!r}")
        idle = {name: constants.ask(path, {})[0] for name, path in CONSTANTS.items()}
        if number >= 0:
            for name, each in {"score": seconds, **idle}.items():
                took[name].append(1e3 * each)
            sizes.append(len(told))
    said = {name: _quantiles(times) for name, times in took.items()}
    times = {name: said["score"]["median"] / said[name]["median"] for name in CONSTANTS}
    return {**said, "times": times, "bytes": statistics.mean(sizes)}


def under_load(service: Server, asked: Sequence[Question], secrets: Sequence[str]) -> dict[str, Any]:
    """Clients that ask without pause: answers, errors, milliseconds, and the memory of the service by the second."""
    until, lock = time.monotonic() + WARM_SECONDS + LOAD_SECONDS, threading.Lock()
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
        memory.append(service.memory())
    for client in clients:
        client.join()
    measured = memory[-LOAD_SECONDS:]
    return {
        "seconds": WARM_SECONDS + LOAD_SECONDS, "answers": sum(statuses.values()), **_quantiles(took),
        "errors": sum(count for status, count in statuses.items() if status != 200),
        "own": _growth([each.own_mib for each in measured]),
        "resident": _growth([each.resident_mib for each in measured]),
        "own_mib": [each.own_mib for each in memory], "resident_mib": [each.resident_mib for each in memory],
    }  # fmt: skip


def _growth(mib: Sequence[float]) -> dict[str, float]:
    """Memory by the second: its mean, the slope of a line through it in MiB a minute, and this as a share of it."""
    mean, slope = statistics.mean(mib), 60 * statistics.linear_regression(range(len(mib)), mib).slope
    return {"mib": mean, "mib_per_minute": slope, "share": slope / mean}


def _quantiles(milliseconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(milliseconds, n=100)
    return {"median": cuts[49], "p95": cuts[94], "p99": cuts[98], "most": max(milliseconds)}


def sections(measured: dict[str, Any]) -> list[str]:
    """The page."""
    one, load = measured["one_client"], measured["load"]
    named = (
        ("`POST /score`", "score"), ("constant, `async def`", "constant"), ("constant, `def`", "constant_from_thread")
    )  # fmt: skip
    rows = [[name, *(f"{one[key][cut]:.2f}" for cut in ("median", "p95", "p99", "most"))] for name, key in named]
    per_second, own, resident = load["answers"] / load["seconds"], load["own"], load["resident"]
    return [
        f"One client asks in turn for the scores of {SKUS_PER_QUESTION} SKUs with explanations (other SKUs each time, "
        f"{one['bytes'] / 1e3:.0f} kB an answer) and two BentoML endpoints that return a constant, one from the event "
        f"loop, as `/score` answers so few SKUs, one from a thread; one worker each, a key checked at every score, "
        f"{ROUNDS:,} rounds. Milliseconds from the request to the last byte:",
        table(["", "median", "p95", "p99", "most"], rows),
        f"The median is **{one['times']['constant']:.2f} times** that of the constant from the event loop (at most "
        f"{MOST_TIMES:.0f} is asked), {one['times']['constant_from_thread']:.2f} times that from a thread; p99 "
        f"{one['score']['p99']:.1f} ms (under {MOST_P99_MS:.0f} is asked).",
        f"{CLIENTS} clients that ask without pause for {load['seconds']} s: {load['answers']:,} answers "
        f"({per_second:,.0f} a second, clients on the same cores), **{load['errors']} errors**, median "
        f"{load['median']:.0f} ms, p99 {load['p99']:.0f} ms.",
        f"Memory by the second in the {LOAD_SECONDS} s after a warm-up of {WARM_SECONDS} s: the service's own "
        f"{own['mib']:.1f} MiB, growing **{own['mib_per_minute']:+.2f} MiB a minute** ({own['share']:+.2%}; within "
        f"{MOST_GROWTH:.0%} counts as none, decided beforehand); with the pages of the files that it maps "
        f"{resident['mib']:.1f} MiB, {resident['mib_per_minute']:+.2f} MiB a minute ({resident['share']:+.2%}).",
    ]


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
