"""Request log: ASGI middleware that gives each request an id, counts and times it, and logs it as a line of JSON."""

import atexit
import json
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Protocol

from serving.api.errors import App, Message, Receive, Scope, Send

RECORD = "touchstone.request"
"""Where the scope holds the RequestRecord."""

PROBES = ("/livez", "/readyz", "/metrics")
"""Asked every few seconds by machinery; not logged."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CLIENT_LEFT = 499
"""Status in the log of a request that nobody waited for (nginx's); it is never sent."""

MAX_WAITING_LINES = 20_000
WRITE_SECONDS = 0.2
ATOMIC_BYTES = 4096
"""So many bytes enter a pipe in one piece (PIPE_BUF), so that the lines of several workers stay whole."""

_ID_HEADERS = (b"x-request-id", b"traceparent")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_TRACE_PARENT = re.compile(rb"[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(slots=True)
class RequestRecord:
    """What is logged of a request; `address` is one that exists, never the caller's words; `bytes` of the answer.

    `key_id` is the id of the key, None where none was asked for or known; `status` is 0 before the answer begins.
    """

    method: str
    address: str
    request_id: str
    status: int = 0
    bytes: int = 0
    milliseconds: float = 0.0
    key_id: str | None = None

    def to_json(self, now: datetime) -> str:
        """The line of the access log; user errors are INFO, what the operator must look at is ERROR."""
        return json.dumps({
            "time": now.isoformat(timespec="milliseconds"), "level": "ERROR" if self.status in (500, 504) else "INFO",
            "event": "request", "method": self.method, "address": self.address, "status": self.status,
            "milliseconds": round(self.milliseconds, 2), "bytes": self.bytes, "key": self.key_id,
            "request_id": self.request_id,
        })  # fmt: skip


def set_key(scope: Scope, key_id: str) -> None:
    """Note the key of a request for the log."""
    record = scope.get(RECORD)
    if record is not None:
        record.key_id = key_id


class RequestCounter(Protocol):
    """Counts requests: `begin` when one comes, `end` when it was answered, its status CLIENT_LEFT where it was not."""

    def begin(self, record: RequestRecord) -> None: ...  # noqa: D102 - said above
    def end(self, record: RequestRecord) -> None: ...  # noqa: D102 - said above


class RequestLog:
    """ASGI middleware, the outermost: records every request, and sends its id back as `X-Request-ID`.

    `address_of` gives the address that a path belongs to; `write` takes the line of each request that is no probe.
    """

    def __init__(
        self, app: App, address_of: Callable[[str], str], counter: RequestCounter, write: Callable[[str], None]
    ) -> None:
        self._app, self._address_of, self._counter, self._write = app, address_of, counter, write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as it came, and record how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        record = RequestRecord(
            method if method in METHODS else "OTHER", self._address_of(scope["path"]), request_id(scope)
        )
        header = (b"x-request-id", record.request_id.encode("ascii"))

        async def observe(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message = {**message, "headers": [*message["headers"], header]}
            else:
                record.bytes += len(message.get("body", b""))
            await send(message)

        scope[RECORD] = record
        started = time.perf_counter()
        self._counter.begin(record)
        try:
            await self._app(scope, receive, observe)
        except Exception:
            record.status = record.status or 500
            raise
        finally:
            record.status = record.status or CLIENT_LEFT
            record.milliseconds = 1e3 * (time.perf_counter() - started)
            self._counter.end(record)
            if record.address not in PROBES:
                self._write(record.to_json(datetime.now(UTC)))


def request_id(scope: Scope) -> str:
    """The id that the caller gave and that is well formed, `X-Request-ID` or that of `traceparent`; else a new one."""
    given = {name: value for name, value in scope["headers"] if name in _ID_HEADERS}
    if given:
        if _REQUEST_ID.fullmatch(own := given.get(b"x-request-id", b"")):
            return str(own, "ascii")
        if trace := _TRACE_PARENT.fullmatch(given.get(b"traceparent", b"")):
            return str(trace[1], "ascii")
    return os.urandom(16).hex()


class LineWriter:
    """Writes lines in a thread of its own, a few times a second, so that no request waits.

    `write_piece` takes a piece of whole lines of at most ATOMIC_BYTES and returns how many bytes it wrote, as
    `os.write`. Where it is too slow, lines beyond MAX_WAITING_LINES are left out, and a line says how many.
    """

    def __init__(self, write_piece: Callable[[bytes], int]) -> None:
        self._write_piece = write_piece
        self._lines: deque[str] = deque()
        self._left_out = 0
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Take a line, without its end, to be written soon."""
        if len(self._lines) >= MAX_WAITING_LINES:
            self._left_out += 1
            return
        self._lines.append(line)

    def start(self) -> None:
        """Begin to write, until the process ends."""
        threading.Thread(target=self._flush_for_ever, name="request-log", daemon=True).start()
        atexit.register(self.flush)

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            if self._left_out:
                self._lines.append(json.dumps({"level": "WARNING", "event": "lines left out", "lines": self._left_out}))
                self._left_out = 0
            part: list[bytes] = []
            size = 0
            while self._lines:
                line = f"{self._lines.popleft()}\n".encode()
                if part and size + len(line) > ATOMIC_BYTES:
                    self._write_whole(b"".join(part))
                    part, size = [], 0
                part.append(line)
                size += len(line)
            self._write_whole(b"".join(part))

    def _write_whole(self, content: bytes) -> None:
        while content:
            content = content[self._write_piece(content) :]

    def _flush_for_ever(self) -> None:
        while True:
            time.sleep(WRITE_SECONDS)
            try:
                self.flush()
            except OSError:
                # A log that cannot be written is no reason to answer nobody.
                self._left_out += 1


@cache
def standard_output() -> LineWriter:
    """Lines to the standard output, where the service's other lines go; of this process, started."""
    writer = LineWriter(partial(os.write, sys.stdout.fileno()))
    writer.start()
    return writer
