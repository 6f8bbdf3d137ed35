"""A load of keep-alive connections that ask without pause: one thread, one epoll, requests made beforehand.

It costs about 0.05 ms of processor time a request, where `http.client` in threads costs several times that and takes it
from the service on the same cores.
"""

import json
import os
import selectors
import socket
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

RECEIVED_AT_ONCE = 1 << 18
HEAD_END, LENGTH = b"\r\n\r\n", b"content-length:"


@dataclass
class LoadResult:
    """Answers of a load: milliseconds of each, count by status, seconds it took, processor seconds of the client."""

    milliseconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0
    client_cpu_seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.milliseconds) / self.seconds

    @property
    def errors(self) -> int:
        """Answers whose status is not 200."""
        return len(self.milliseconds) - self.statuses.get(200, 0)


def http_request(path: str, body: Mapping[str, Any], secret: str = "") -> bytes:
    """A whole POST request with a JSON body, showing the key `secret`, as bytes."""
    content = json.dumps(body).encode("utf-8")
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\nAuthorization: Bearer {secret}\r\n\r\n"
    )
    return head.encode("ascii") + content


class _Connection:
    """One connection; `requests` are sent one after the other, each when the last was answered."""

    def __init__(self, port: int, requests: Sequence[bytes], first: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests, self._next = requests, first
        self._parts: list[bytes] = []
        self._missing = -1
        self.sent_at = 0.0

    def send(self) -> None:
        """Send the next request."""
        request = self._requests[self._next % len(self._requests)]
        self._next += 1
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """Receive what is there; the status where the answer is whole, else None. ConnectionError where it ended."""
        part = self.socket.recv(RECEIVED_AT_ONCE)
        if not part:
            raise ConnectionError("The server closed the connection within an answer.")
        self._parts.append(part)
        if self._missing < 0:
            head, found, body = b"".join(self._parts).partition(HEAD_END)
            if not found:
                return None
            self._missing = int(head.lower().partition(LENGTH)[2].split(None, 1)[0]) - len(body)
        else:
            self._missing -= len(part)
        if self._missing > 0:
            return None
        status = int(self._parts[0][9:12])
        self._parts, self._missing = [], -1
        return status


def ask_without_pause(
    port: int, requests: Sequence[bytes], connections: int, seconds: float, every_second: Callable[[], object] = int
) -> LoadResult:
    """The answers to so many connections that ask without pause for so long, each beginning with another request.

    `every_second` is called about so often, and may look at the server.
    """
    result, selector = LoadResult(), selectors.DefaultSelector()
    opened = [_Connection(port, requests, n * len(requests) // connections) for n in range(connections)]
    for each in opened:
        selector.register(each.socket, selectors.EVENT_READ, each)
    started, cpu = time.perf_counter(), time.process_time()
    for each in opened:
        each.send()
    looked_at = started
    while (now := time.perf_counter()) - started < seconds:
        if now - looked_at >= 1.0:
            looked_at = now
            every_second()
        for key, _ in selector.select(1.0):
            status = key.data.receive()
            if status is None:
                continue
            result.milliseconds.append(1e3 * (time.perf_counter() - key.data.sent_at))
            result.statuses[status] = result.statuses.get(status, 0) + 1
            key.data.send()
    result.seconds, result.client_cpu_seconds = now - started, time.process_time() - cpu
    for each in opened:
        each.socket.close()
    selector.close()
    return result


@dataclass
class LoadRounds:
    """The rounds of load of one service: answers a second and milliseconds of each, processor time per answer."""

    per_second: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    errors: int = 0
    answers: int = 0
    server_seconds: float = 0.0
    client_seconds: float = 0.0
    of_workers: dict[int, int] = field(default_factory=dict)

    def add(self, result: LoadResult, ticks: Mapping[int, int]) -> None:
        """Add a round and the clock ticks that each worker took in it."""
        self.per_second.append(result.per_second)
        self.milliseconds += result.milliseconds
        self.errors += result.errors
        self.answers += len(result.milliseconds)
        self.server_seconds += sum(ticks.values()) / os.sysconf("SC_CLK_TCK")
        self.client_seconds += result.client_cpu_seconds
        self.of_workers = {pid: self.of_workers.get(pid, 0) + count for pid, count in ticks.items()}

    def summary(self) -> dict[str, Any]:
        """The figures of the page."""
        return {
            "per_second": statistics.median(self.per_second), "rounds": self.per_second, "errors": self.errors,
            **quantiles(self.milliseconds), "server_cpu_ms": 1e3 * self.server_seconds / self.answers,
            "client_cpu_ms": 1e3 * self.client_seconds / self.answers, "worker_ticks": list(self.of_workers.values()),
        }  # fmt: skip


def quantiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile and the most."""
    cuts = statistics.quantiles(milliseconds, n=100)
    return {"median": cuts[49], "p95": cuts[94], "p99": cuts[98], "most": max(milliseconds)}
