"""`Idempotency-Key`: a question that creates is carried out once, and answered alike whenever it is sent again.

After the draft of the IETF (draft-ietf-httpapi-idempotency-key-header). The database holds each key with its first
answer, so that it does not matter which worker is asked.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import anyio
import anyio.to_thread
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response

from data.database.connection import write_transaction
from data.database.schema import IDEMPOTENT_REQUESTS
from data.errors import UserError
from serving.api.errors import App, Message, Receive, Scope, Send
from serving.auth.api_keys import utc_timestamp
from serving.auth.permissions import current_principal
from serving.auth.rate_limit import AccessPolicy

HEADER = "Idempotency-Key"
IDEMPOTENT = frozenset({
    "/allocate", "/results", "/rescore/submit", "/rounds/{round_id}/cancel", "/outbox/{letter_id}/delivered",
    "/certificates/answers",
})  # fmt: skip
"""The addresses that create or change something; the others only answer, and do not read the header."""
LONGEST_KEY = 255
KEY_PATTERN = '^("[!#-~]+"|[!#-~]+)$'
IN_FLIGHT_SECONDS = 120
"""After so long without an answer a request is taken for dead: the service gives up on one after half of that."""


@dataclass(frozen=True)
class IdempotentRequest:
    """A request with its idempotency key; `fingerprint` is a digest of its address and body."""

    api_key: str
    key: str
    fingerprint: str


@dataclass(frozen=True)
class StoredAnswer:
    """The first answer to a request."""

    status: int
    media_type: str
    body: bytes


@dataclass(frozen=True)
class Claim:
    """What is known of a request: its `answer`, else what it has done already (`effect`), None where nothing."""

    answer: StoredAnswer | None = None
    effect: str | None = None


@dataclass(frozen=True)
class _Current:
    """The request in progress, and what an earlier try of it has done."""

    request: IdempotentRequest
    effect: str | None


_CURRENT: ContextVar[_Current | None] = ContextVar("idempotent_request", default=None)
_ROW = IDEMPOTENT_REQUESTS.c


def earlier_effect() -> str | None:
    """What an earlier try of the request in progress has done, whose answer was lost; None where nothing."""
    current = _CURRENT.get()
    return current.effect if current else None


def note_effect(connection: sa.Connection, effect: str) -> None:
    """Note what the request in progress does, within the transaction that does it."""
    current = _CURRENT.get()
    if current is not None:
        connection.execute(sa.update(IDEMPOTENT_REQUESTS).where(_is(current.request)).values(effect=effect))


def claim_request(engine: sa.Engine, request: IdempotentRequest, now: datetime, keep_days: float) -> Claim:
    """Claim a request for this try, or find its answer; keys older than `keep_days` are forgotten.

    Raises HTTPException: 409 while another try of it is in flight, 422 where its key belongs to another question.
    """
    with write_transaction(engine) as connection:
        oldest = utc_timestamp(now - timedelta(days=keep_days))
        connection.execute(sa.delete(IDEMPOTENT_REQUESTS).where(_ROW.started_at < oldest))
        insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(IDEMPOTENT_REQUESTS)
        values = {"key_id": request.api_key, "idempotency_key": request.key, "fingerprint": request.fingerprint,
                  "started_at": utc_timestamp(now)}  # fmt: skip
        inserted = insert.values(values).on_conflict_do_nothing().returning(_ROW.key_id)
        if connection.execute(inserted).first() is not None:
            return Claim()
        row = connection.execute(sa.select(IDEMPOTENT_REQUESTS).where(_is(request)).with_for_update()).one()
        if row.fingerprint != request.fingerprint:
            raise HTTPException(
                422, f"This {HEADER} was sent with another question before. Give every new question a key of its own."
            )
        if row.status is not None:
            return Claim(StoredAnswer(row.status, row.media_type, row.body))
        waited = (now - datetime.fromisoformat(row.started_at)).total_seconds()
        if row.effect is None and 0 <= waited < IN_FLIGHT_SECONDS:
            sentence = f"The first question with this {HEADER} is still being answered. Ask again in a few seconds."
            raise HTTPException(409, sentence, {"retry-after": "2"})
        connection.execute(sa.update(IDEMPOTENT_REQUESTS).where(_is(request)).values(started_at=utc_timestamp(now)))
        return Claim(effect=row.effect)


def store_answer(engine: sa.Engine, request: IdempotentRequest, answer: StoredAnswer) -> None:
    """Store the answer to a request; one that was refused and did nothing leaves its key unused."""
    done = 200 <= answer.status < 300
    with write_transaction(engine) as connection:
        if done:
            values = {"status": answer.status, "media_type": answer.media_type, "body": answer.body}
            connection.execute(sa.update(IDEMPOTENT_REQUESTS).where(_is(request)).values(values))
        else:
            connection.execute(sa.delete(IDEMPOTENT_REQUESTS).where(_is(request), _ROW.effect.is_(None)))


def _is(request: IdempotentRequest) -> sa.ColumnElement[bool]:
    return sa.and_(_ROW.key_id == request.api_key, _ROW.idempotency_key == request.key)


def idempotency_key(header: str) -> str:
    """The key of a header, with or without the quotes of a structured field; HTTPException 400 where it is none."""
    given = header.strip()
    if len(given) > LONGEST_KEY or not re.fullmatch(KEY_PATTERN, given):
        raise HTTPException(
            400, f"{HEADER} is 1 to {LONGEST_KEY} visible ASCII characters without blanks, such as a UUID."
        )
    return given.strip('"')


def fingerprint(path: str, body: bytes) -> str:
    """The digest of a question: alike for JSON that only differs in spaces and in the order of fields."""
    with suppress(ValueError, RecursionError):
        body = json.dumps(json.loads(body), sort_keys=True).encode()
    return sha256(path.encode() + b"\n" + body).hexdigest()


class IdempotencyMiddleware:
    """ASGI middleware behind the access: answers a question with an `Idempotency-Key` as it was answered first.

    `address_of` gives the address that a path without prefix belongs to, `engine` the database.
    """

    def __init__(
        self, app: App, engine: Callable[[], sa.Engine], policy: AccessPolicy, address_of: Callable[[str], str],
        now: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self._app, self._engine, self._address_of, self._now = app, engine, address_of, now
        self._keep_days = policy.idempotency_days

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer as before; raises HTTPException as `claim_request`."""
        header = Headers(scope=scope).get(HEADER) if scope["type"] == "http" and scope["method"] == "POST" else None
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if header is None or self._address_of(path) not in IDEMPOTENT:
            await self._app(scope, receive, send)
            return
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body = message.get("body", b"")
        request = IdempotentRequest(current_principal().id, idempotency_key(header), fingerprint(path, body))
        engine = await anyio.to_thread.run_sync(self._engine)
        claim = await anyio.to_thread.run_sync(claim_request, engine, request, self._now(), self._keep_days)
        if claim.answer is not None:
            await _replay(claim.answer)(scope, receive, send)
            return
        await self._carry_out(_Current(request, claim.effect), scope, _Prepended(message, receive), send)

    async def _carry_out(self, current: _Current, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, and store its answer before the caller has it.

        A try that ends without an answer keeps its key: a thread may still work on it.
        """
        messages: list[Message] = []

        async def hold(message: Message) -> None:
            messages.append(message)

        token = _CURRENT.set(current)
        try:
            await self._app(scope, receive, hold)
        finally:
            _CURRENT.reset(token)
        if messages:
            engine = await anyio.to_thread.run_sync(self._engine)
            with suppress(UserError):  # the answer stands; the next try finds what was done
                await anyio.to_thread.run_sync(store_answer, engine, current.request, _answer_of(messages))
        for message in messages:
            await send(message)


class _Prepended:
    """Receives a message that was taken before, then the others."""

    def __init__(self, first: Message, receive: Receive) -> None:
        self._first: Message | None = first
        self._receive = receive

    async def __call__(self) -> Message:
        first, self._first = self._first, None
        return first if first is not None else await self._receive()


def _answer_of(messages: list[Message]) -> StoredAnswer:
    headers = Headers(raw=messages[0]["headers"])
    body = b"".join(each.get("body", b"") for each in messages[1:])
    return StoredAnswer(messages[0]["status"], headers.get("content-type", ""), body)


def _replay(answer: StoredAnswer) -> Response:
    headers: dict[str, Any] = {"idempotent-replayed": "true"}
    return Response(answer.body, answer.status, headers, answer.media_type or None)
