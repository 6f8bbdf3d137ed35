"""A served workspace in a process of its own, its memory, and clients that keep their connection."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120


@dataclass(frozen=True)
class Memory:
    """MiB of memory: what is a process's own, and with the pages of the files that it maps, which others share."""

    own_mib: float
    resident_mib: float


@dataclass(frozen=True)
class Server:
    """A running server: its port and the process that started it and its workers."""

    port: int
    pid: int

    def memory(self) -> "Memory":
        """What the process and those that it started hold now."""
        pids = _children(self.pid)
        return Memory(*(sum(_kib(pid, name) for pid in pids) / 1024 for name in ("RssAnon", "VmRSS")))

    def peak_mib(self) -> float:
        """What the process and those that it started held at their peaks, mapped files included."""
        return sum(_kib(pid, "VmHWM") for pid in _children(self.pid)) / 1024

    def worker_ticks(self) -> dict[int, int]:
        """Processor time of each worker by its process id, in clock ticks."""
        return {pid: _ticks(pid) for pid in _children(self.pid) if "worker" in _command(pid)}


class Client:
    """One connection to a server, kept open; `secret` is the key that it shows."""

    def __init__(self, server: Server, secret: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {secret}"}

    def ask(self, path: str, body: Mapping[str, Any]) -> tuple[float, int, bytes]:
        """Seconds until the whole answer is there, its status and its body."""
        question = json.dumps(body).encode("utf-8")
        started = time.perf_counter()
        self._connection.request("POST", path, question, self._headers)
        answer = self._connection.getresponse()
        told = answer.read()
        return time.perf_counter() - started, answer.status, told


@contextmanager
def served(service: str, environment: Mapping[str, str], log: Path, checkout: Path = ROOT) -> Iterator[Server]:
    """`bentoml serve SERVICE` of the code in `checkout` until the end of the block."""
    with _listening(["bentoml", "serve", service], environment, log, checkout) as server:
        yield server


@contextmanager
def served_by_uvicorn(application: str, log: Path) -> Iterator[Server]:
    """An ASGI application of this tree by uvicorn alone until the end of the block."""
    with _listening(["uvicorn", "--no-access-log", application], {}, log, ROOT) as server:
        yield server


@contextmanager
def _listening(module: Sequence[str], environment: Mapping[str, str], log: Path, checkout: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", *module, "--host", "127.0.0.1", "--port", str(port)]
    variables = {**os.environ, "BENTOML_DO_NOT_TRACK": "True", "PYTHONPATH": str(checkout), **environment}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own service
            command, cwd=checkout, env=variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _wait(port, process)
            yield Server(port, process.pid)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(30)


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    latest = time.monotonic() + START_SECONDS
    while time.monotonic() < latest and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/livez")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()
    raise RuntimeError("The server did not start; see its log.")


def _children(pid: int) -> list[int]:
    """The process and all that it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        children = (task / "children").read_text(encoding="ascii").split()
        found += [each for child in children for each in _children(int(child))]
    return found


def _kib(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition(f"{name}:")[2].split()[0])


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
