"""Every request is one line of JSON with an id, and none of the caller's words."""

import json
import re
import string
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.api.errors import Message, Receive, Scope, Send
from serving.api.request_log import (
    ATOMIC_BYTES,
    CLIENT_LEFT,
    LineWriter,
    RequestLog,
    RequestRecord,
    request_id,
    set_key,
)

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Counted:
    """Keeps the records that were counted."""

    def __init__(self) -> None:
        self.begun: list[RequestRecord] = []
        self.ended: list[RequestRecord] = []

    def begin(self, record: RequestRecord) -> None:
        """Keep it."""
        self.begun.append(record)

    def end(self, record: RequestRecord) -> None:
        """Keep it."""
        self.ended.append(record)


async def answer(scope: Scope, _: Receive, send: Send) -> None:
    """As the path says: an answer in two parts, a fault, or none as the client left."""
    set_key(scope, "k-1")
    if scope["path"] == "/left":
        return
    if scope["path"] == "/broken":
        raise RuntimeError("my-secret")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"12345", "more_body": True})
    await send({"type": "http.response.body", "body": b"678"})


async def logged(path: str, *headers: tuple[bytes, bytes], method: str = "POST") -> tuple[list[str], list[Message]]:
    """The lines of the log after one request, and what was sent."""
    lines: list[str] = []
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    app = RequestLog(answer, lambda path: path if path in ("/score", "/livez") else "(none)", Counted(), lines.append)
    await app({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
    return lines, sent


@pytest.mark.anyio
async def test_a_request_is_one_line_with_what_an_operator_asks_for() -> None:
    (line,), sent = await logged("/score", (b"x-request-id", b"order-4711"))
    record = json.loads(line)
    assert record.pop("milliseconds") >= 0
    assert datetime.fromisoformat(record.pop("time")).utcoffset() is not None
    assert record == {"level": "INFO", "event": "request", "method": "POST", "address": "/score", "status": 200,
                      "bytes": 8, "key": "k-1", "request_id": "order-4711"}  # fmt: skip
    assert (b"x-request-id", b"order-4711") in sent[0]["headers"]


@pytest.mark.anyio
async def test_the_log_has_no_word_of_the_caller() -> None:
    """Neither the path nor the method nor an id that is none is repeated."""
    (line,), _ = await logged("/my-secret", (b"x-request-id", b"my secret!"), method="MY-SECRET")
    assert "secret" not in line.lower()
    assert (json.loads(line)["method"], json.loads(line)["address"]) == ("OTHER", "(none)")


@pytest.mark.anyio
async def test_a_client_that_left_is_no_fault() -> None:
    (line,), sent = await logged("/left")
    assert (json.loads(line)["status"], json.loads(line)["level"], sent) == (CLIENT_LEFT, "INFO", [])


@pytest.mark.anyio
async def test_probes_are_not_logged() -> None:
    assert (await logged("/livez"))[0] == []


@pytest.mark.anyio
async def test_a_fault_is_logged_as_one_and_counted_to_its_end() -> None:
    counted = Counted()
    app = RequestLog(answer, lambda path: path, counted, list[str]().append)
    with pytest.raises(RuntimeError):
        await app({"type": "http", "method": "GET", "path": "/broken", "headers": []}, None, None)  # type: ignore[arg-type]
    assert [each.status for each in counted.ended] == [500]
    assert json.loads(counted.ended[0].to_json(NOON))["level"] == "ERROR"
    assert counted.begun == counted.ended


@given(value=st.binary(max_size=80), name=st.sampled_from([b"x-request-id", b"traceparent"]))
def test_an_id_is_well_formed_whatever_was_sent(value: bytes, name: bytes) -> None:
    """A log line, a header and a grep can carry it."""
    assert WELL_FORMED.fullmatch(request_id({"headers": [(name, value)]}))


@given(given_id=st.text(string.ascii_letters + string.digits + "._-", max_size=60).map("t4bc9d0x".__add__))
def test_a_well_formed_id_is_kept(given_id: str) -> None:
    """Before that of a trace, too."""
    trace = (b"traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())
    assert request_id({"headers": [trace, (b"x-request-id", given_id.encode())]}) == given_id
    assert request_id({"headers": [trace]}) == TRACE


@given(lines=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=300), max_size=60))
def test_lines_are_written_whole_and_in_order(lines: list[str]) -> None:
    """In pieces that a pipe takes at once, so that no other worker's line gets between."""
    pieces: list[bytes] = []
    writer = LineWriter(_taker(pieces))
    for line in lines:
        writer.write(line)
    writer.flush()
    assert b"".join(pieces).decode() == "".join(f"{line}\n" for line in lines)
    assert all(len(piece) <= ATOMIC_BYTES and piece.endswith(b"\n") for piece in pieces)


def test_a_reader_that_is_too_slow_costs_lines_and_not_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.api.request_log.MAX_WAITING_LINES", 3)
    pieces: list[bytes] = []
    writer = LineWriter(_taker(pieces))
    for number in range(5):
        writer.write(str(number))
    writer.flush()
    *written, left_out = b"".join(pieces).decode().splitlines()
    assert (written, json.loads(left_out)["lines"]) == (["0", "1", "2"], 2)


def _taker(pieces: list[bytes]) -> Callable[[bytes], int]:
    """What `os.write` would do, into a list."""

    def write_piece(piece: bytes) -> int:
        pieces.append(piece)
        return len(piece)

    return write_piece
