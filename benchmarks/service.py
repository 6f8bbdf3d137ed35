"""The service beside endpoints that return a constant, under load with one worker and two, and beside other code.

Run with `python -m benchmarks.service [WORKSPACE] [--beside CHECKOUT]`, a workspace with scores; without one the demo's
is made first. The code in CHECKOUT serves a demo of its own, or `--beside-workspace`, in the same rounds.
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.load import LoadRounds, ask_without_pause, http_request, quantiles
from benchmarks.report import machine, table, versions, write_report
from benchmarks.served import ROOT, Client, Memory, Server, served, served_by_uvicorn

SKUS_PER_QUESTION, QUESTIONS = 10, 500
ROUNDS, WARM_ROUNDS = 2_000, 200
CLIENTS, WARM_SECONDS, LOAD_SECONDS = 16, 60, 60
LOAD_ROUNDS, ROUND_SECONDS, ROUND_WARM_SECONDS = 4, 15.0, 3.0
MOST_TIMES, MOST_P99_MS, MOST_GROWTH = 2.0, 25.0, 0.01
CONSTANTS = {
    "constant": "BentoML's constant, `async def`", "constant_from_thread": "BentoML's constant, `def`",
    "fastapi": "FastAPI's constant, uvicorn alone",
}  # fmt: skip
ONE, TWO, BESIDE = "one worker", "two workers", "one worker of the code beside"
SECRET = re.compile(r"ts_\S{30,}")

Question = dict[str, Any]


def questions(home: Path) -> list[Question]:
    """Questions, each for ten SKUs drawn from the scores of a workspace."""
    newest = max((home / "scores").glob("as_of=*"))
    keys = pq.read_table(newest, columns=["sku_id", "market"], partitioning=None).to_pylist()
    draw = random.Random(7)  # noqa: S311 - which SKUs are asked for
    return [{"items": draw.sample(keys, SKUS_PER_QUESTION), "explain": True} for _ in range(QUESTIONS)]


@cache
def secrets_of(home: Path, checkout: Path) -> list[str]:
    """Keys of the service, one per client, made by its own command: a key may not ask without limit."""
    made = [_touchstone(checkout, home, "keys", "create", f"client {n}", "--role", "scheduler") for n in range(CLIENTS)]
    return [SECRET.findall(printed)[0] for printed in made]


def _touchstone(checkout: Path, home: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "touchstone", "--home", str(home), *arguments]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(command, check=True, cwd=checkout, env=environment, capture_output=True, text=True)  # noqa: S603 - ours
    return done.stdout


@dataclass(frozen=True)
class Service:
    """A running service with the questions and keys of its workspace."""

    server: Server
    questions: Sequence[Question]
    secrets: Sequence[str]

    @property
    def requests(self) -> list[bytes]:
        """The questions as requests, the keys in turn."""
        return [
            http_request("/score", each, self.secrets[n % len(self.secrets)]) for n, each in enumerate(self.questions)
        ]


def loads(services: Mapping[str, Service]) -> dict[str, Any]:
    """Each service under the load of all clients, in rounds that take turns; another round of each warms it."""
    rounds = {name: LoadRounds() for name in services}
    for number in range(-1, LOAD_ROUNDS):
        for name, service in services.items():
            before = service.server.worker_ticks()
            seconds = ROUND_SECONDS if number >= 0 else ROUND_WARM_SECONDS
            result = ask_without_pause(service.server.port, service.requests, CLIENTS, seconds)
            after = service.server.worker_ticks()
            if number >= 0:
                rounds[name].add(result, {pid: after[pid] - before.get(pid, 0) for pid in after})
    return {name: each.summary() for name, each in rounds.items()}


def latencies(service: Service, bentoml: Server, fastapi: Server) -> dict[str, Any]:
    """Milliseconds of one client that asks the service and the constants in turn, after a warm-up."""
    scores, constants = [Client(service.server, secret) for secret in service.secrets], Client(bentoml)
    plain = Client(fastapi)
    took: dict[str, list[float]] = {name: [] for name in ("score", *CONSTANTS)}
    sizes = []
    for number in range(-WARM_ROUNDS, ROUNDS):
        question = service.questions[number % len(service.questions)]
        seconds, status, answer = scores[number % CLIENTS].ask("/score", question)
        if status != 200 or len(json.loads(answer)["scores"]) != SKUS_PER_QUESTION:
            raise RuntimeError(f"The service answered {status}: {answer[:300]!r}")
        idle = {name: constants.ask(f"/{name}", {})[0] for name in CONSTANTS if name != "fastapi"}
        idle["fastapi"] = plain.ask("/constant", {})[0]
        if number >= 0:
            for name, each in {"score": seconds, **idle}.items():
                took[name].append(1e3 * each)
            sizes.append(len(answer))
    summary = {name: quantiles(times) for name, times in took.items()}
    times = {name: summary["score"]["median"] / summary[name]["median"] for name in CONSTANTS}
    return {**summary, "times": times, "bytes": statistics.mean(sizes)}


def memory_under_load(service: Service) -> dict[str, Any]:
    """Memory of the service by the second under the load of all clients, after a warm-up."""
    memory: list[Memory] = []
    result = ask_without_pause(
        service.server.port, service.requests, CLIENTS, WARM_SECONDS + LOAD_SECONDS,
        lambda: memory.append(service.server.memory()),
    )  # fmt: skip
    measured = memory[-LOAD_SECONDS:]
    return {
        "answers": len(result.milliseconds), "errors": result.errors,
        "own": _growth([each.own_mib for each in measured]),
        "resident": _growth([each.resident_mib for each in measured]),
        "own_mib": [each.own_mib for each in memory], "resident_mib": [each.resident_mib for each in memory],
    }  # fmt: skip


def _growth(mib: Sequence[float]) -> dict[str, float]:
    """Memory by the second: its mean, the slope of a line through it in MiB a minute, and this as a share of it."""
    mean, slope = statistics.mean(mib), 60 * statistics.linear_regression(range(len(mib)), mib).slope
    return {"mib": mean, "mib_per_minute": slope, "share": slope / mean}


def sections(measured: Mapping[str, Any]) -> list[str]:
    """The page."""
    return [*_alone(measured["one_client"]), *_loaded(measured["load"]), *_memory(measured["memory"])]


def _alone(one: Mapping[str, Any]) -> list[str]:
    named = {"score": "`POST /score`", **CONSTANTS}
    rows = [
        [name, *(f"{one[key][cut]:.2f}" for cut in ("median", "p95", "p99", "most"))] for key, name in named.items()
    ]
    return [
        f"One client asks in turn for the scores of {SKUS_PER_QUESTION} SKUs with explanations (other SKUs each time, "
        f"{one['bytes'] / 1e3:.0f} kB an answer) and three endpoints that return a constant: two of BentoML, from the "
        f"event loop, as `/score` answers so few SKUs, and from a thread, and one of FastAPI; one worker each, a key "
        f"checked at every score, {ROUNDS:,} rounds. Milliseconds from the request to the last byte:",
        table(["", "median", "p95", "p99", "most"], rows),
        f"The median is **{one['times']['constant']:.2f} times** that of BentoML's constant from the event loop (at "
        f"most {MOST_TIMES:.0f} is asked), {one['times']['fastapi']:.1f} times that of FastAPI's; p99 "
        f"{one['score']['p99']:.1f} ms (under {MOST_P99_MS:.0f} is asked).",
    ]


def _loaded(load: Mapping[str, Any]) -> list[str]:
    rows = [
        [name, f"{each['per_second']:,.0f}", f"{each['median']:.1f}", f"{each['p99']:.1f}", each["errors"],
         f"{each['server_cpu_ms']:.2f}", f"{each['client_cpu_ms']:.2f}"]
        for name, each in load.items()
    ]  # fmt: skip
    one, two = load[ONE], load[TWO]
    shares = ", ".join(f"{share / max(1, sum(two['worker_ticks'])):.0%}" for share in two["worker_ticks"])
    text = (
        f"Two workers answer **{two['per_second'] / one['per_second']:.2f} times** as many questions as one, with the "
        f"clients on the same cores; their shares of the work were {shares}."
    )
    if BESIDE in load:
        other = load[BESIDE]
        text += (
            f" One worker answers **{one['per_second'] / other['per_second']:.2f} times** as many as that of the code "
            f"beside, in {one['server_cpu_ms'] / other['server_cpu_ms']:.0%} of its processor time."
        )
    return [
        f"{CLIENTS} keep-alive connections that ask without pause, from one process with one epoll and requests made "
        f"beforehand; {LOAD_ROUNDS} rounds of {ROUND_SECONDS:.0f} s each in turn, the median of their answers a "
        "second; milliseconds over all rounds; processor milliseconds per answer, of the workers and of the clients:",
        table(["", "a second", "median ms", "p99 ms", "errors", "server CPU ms", "client CPU ms"], rows),
        text,
    ]


def _memory(memory: Mapping[str, Any]) -> list[str]:
    own, resident = memory["own"], memory["resident"]
    return [
        f"Memory by the second in the {LOAD_SECONDS} s after a warm-up of {WARM_SECONDS} s under the same load "
        f"({memory['answers']:,} answers, **{memory['errors']} errors**): the service's own {own['mib']:.1f} MiB, "
        f"growing **{own['mib_per_minute']:+.2f} MiB a minute** ({own['share']:+.2%}; within {MOST_GROWTH:.0%} "
        f"counts as none, decided beforehand); with the pages of the files that it maps {resident['mib']:.1f} MiB, "
        f"{resident['mib_per_minute']:+.2f} MiB a minute ({resident['share']:+.2%}).",
    ]


@dataclass(frozen=True)
class Setting:
    """What is measured: a workspace with scores, the code that serves it, and with how many workers."""

    home: Path
    checkout: Path = ROOT
    workers: int = 1


def start(setting: Setting, folder: Path, stack: ExitStack) -> Service:
    """A service until the end of `stack`; its log and BentoML's state go to `folder`."""
    folder.mkdir()
    environment = {
        "TOUCHSTONE_HOME": str(setting.home), "TOUCHSTONE_INSECURE": "", "BENTOML_HOME": str(folder),
        "BENTOML_CONFIG_OPTIONS": f"services.touchstone.workers={setting.workers}",
        "PYTHONPATH": f"{_hide_unlocked(setting.checkout, folder)}{os.pathsep}{setting.checkout}",
    }  # fmt: skip
    keys = secrets_of(setting.home, setting.checkout)
    service = served("serving.service:Touchstone", environment, folder / "service.log", setting.checkout)
    return Service(stack.enter_context(service), questions(setting.home), keys)


def _hide_unlocked(checkout: Path, folder: Path) -> Path:
    """A folder for PYTHONPATH that hides the parts of uvicorn which this code does not install."""
    locked = (checkout / "requirements.lock").read_text(encoding="utf-8")
    hidden = [name for name in ("uvloop", "httptools") if f"\n{name}==" not in locked]
    lines = ["import sys", *(f"sys.modules[{name!r}] = None" for name in hidden)]
    (folder / "sitecustomize.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def measure(settings: Mapping[str, Setting], folder: Path) -> dict[str, Any]:
    """Everything on the page."""
    with ExitStack() as stack:
        services = {name: start(each, folder / str(n), stack) for n, (name, each) in enumerate(settings.items())}
        load = loads(services)
        memory = memory_under_load(services[ONE])
        bentoml = stack.enter_context(
            served("benchmarks.constant_service:Constant", {"BENTOML_HOME": str(folder)}, folder / "constant.log")
        )
        fastapi = stack.enter_context(
            served_by_uvicorn("benchmarks.constant_service:application", folder / "fastapi.log")
        )
        one = latencies(services[ONE], bentoml, fastapi)
    return {"one_client": one, "load": load, "memory": memory}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path, nargs="?")
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="Measure the code of this folder as well.")
    parser.add_argument("--beside-workspace", type=Path, metavar="HOME", help="A workspace that this code scored.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        home = asked.workspace.resolve() if asked.workspace else _demo(folder / "ours", ROOT)
        settings = {ONE: Setting(home), TWO: Setting(home, workers=2)}
        if asked.beside:
            beside, given = asked.beside.resolve(), asked.beside_workspace
            settings[BESIDE] = Setting(given.resolve() if given else _demo(folder / "theirs", beside), beside)
        measured = measure(settings, folder)
    installed = versions("bentoml", "starlette", "uvicorn", "uvloop", "httptools", "pydantic", "pyarrow", "numpy")
    measured |= {"machine": machine(), "versions": installed}
    page = write_report("service", "The service", measured, sections(measured))
    print(page.read_text(encoding="utf-8"))


def _demo(home: Path, checkout: Path) -> Path:
    _touchstone(checkout, home, "demo", "--no-serve")
    return home / "demo"


if __name__ == "__main__":
    main()
