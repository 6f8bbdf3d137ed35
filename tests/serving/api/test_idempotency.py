"""One question, however often it is sent with its key, is carried out once and answered alike."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from data.database.connection import read_transaction, write_transaction
from data.database.schema import IDEMPOTENT_REQUESTS
from serving.api.application import known_address
from serving.api.errors import Message, Receive, Scope, Send, error_json, error_response
from serving.api.idempotency import (
    IN_FLIGHT_SECONDS,
    IdempotencyMiddleware,
    earlier_effect,
    fingerprint,
    idempotency_key,
    note_effect,
)
from serving.auth.api_keys import Key
from serving.auth.permissions import PRINCIPAL
from tests.serving.auth.applications import NOON, POLICY

BODY = {"budget_eur": 3000, "seed": 5}


class Counting:
    """An application that counts what it carries out, behind the middleware; `status` is what it answers with."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.carried_out, self.status, self.now = engine, 0, 200, NOON
        self.noted: str | None = None
        self.earlier: str | None = None
        self.raised: BaseException | None = None
        self._middleware = IdempotencyMiddleware(self._answer, lambda: engine, POLICY, known_address, self._now)

    def _now(self) -> datetime:
        return self.now

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.carried_out += 1
        self.earlier = earlier_effect()
        body = (await receive())["body"]
        if self.noted is not None:
            with write_transaction(self.engine) as connection:
                note_effect(connection, self.noted)
        if self.raised is not None:
            raise self.raised
        await error_json(self.status, f"{self.carried_out}: {body.decode()}")(scope, receive, send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As the access middleware lets a request through."""
        token = PRINCIPAL.set(Key(dict(scope["headers"])[b"x-caller"].decode(), "ann", "admin", "ann"))
        try:
            await self._middleware(scope, receive, send)
        except HTTPException as error:
            await error_response(error)(scope, receive, send)
        finally:
            PRINCIPAL.reset(token)

    def ask(self, key: str | None = "k-1", path: str = "/allocate", caller: str = "a", body: Any = BODY) -> Any:
        """The answer to a question."""

        async def answered() -> httpx.Response:
            headers = {"x-caller": caller, **({} if key is None else {"idempotency-key": key})}
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self), base_url="http://s") as client:
                return await client.post(path, json=body, headers=headers)

        return asyncio.run(answered())


@pytest.fixture
def counting(state: sa.Engine) -> Counting:
    """Such an application over an empty database of each kind."""
    return Counting(state)


def test_the_same_question_gives_the_first_answer_again(counting: Counting) -> None:
    """Byte for byte, and says so; without a key, or from another caller, it is a question of its own."""
    first, again = counting.ask(), counting.ask()
    assert (again.status_code, again.content, again.headers["content-type"]) == (
        200, first.content, first.headers["content-type"],
    )  # fmt: skip
    assert (counting.carried_out, again.headers["idempotent-replayed"]) == (1, "true")
    assert "idempotent-replayed" not in first.headers
    counting.ask(key=None)
    counting.ask(caller="b")
    counting.ask(key='"k-1"', caller="b")
    assert counting.carried_out == 3


@pytest.mark.parametrize("changed", [{"body": {"budget_eur": 3000}}, {"path": "/results"}])
def test_another_question_with_the_same_key_is_refused(counting: Counting, changed: dict[str, Any]) -> None:
    """Nothing is carried out, and the first answer stays."""
    first = counting.ask()
    refused = counting.ask(**changed)
    assert (refused.status_code, counting.carried_out) == (422, 1)
    assert "Give every new question a key of its own" in refused.json()["error"]
    assert counting.ask().content == first.content


def test_addresses_that_only_answer_do_not_read_the_key(counting: Counting) -> None:
    """A score is asked anew."""
    for _ in range(2):
        assert counting.ask(path="/score").status_code == 200
    assert counting.carried_out == 2


@pytest.mark.parametrize("status", [400, 403, 503])
def test_a_refused_question_leaves_its_key_unused(counting: Counting, status: int) -> None:
    """It may be sent again, mended or not."""
    counting.status = status
    assert counting.ask().status_code == status
    counting.status = 200
    assert counting.ask(body={"budget_eur": 1}).status_code == 200
    assert counting.carried_out == 2


def test_a_question_in_flight_is_not_carried_out_beside_itself(counting: Counting) -> None:
    """A try without an answer holds the key for two minutes; then it counts as dead, and the question is asked anew."""
    counting.raised = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        counting.ask()
    counting.raised = None
    waiting = counting.ask()
    assert (waiting.status_code, waiting.headers["retry-after"], counting.carried_out) == (409, "2", 1)
    counting.now += timedelta(seconds=IN_FLIGHT_SECONDS)
    assert (counting.ask().status_code, counting.earlier, counting.carried_out) == (200, None, 2)


@pytest.mark.parametrize("raised", [asyncio.CancelledError(), None])
def test_what_was_done_without_an_answer_is_told_to_the_next_try(
    counting: Counting, raised: BaseException | None
) -> None:
    """A round that was drawn before the answer was lost is answered from, not drawn once more."""
    counting.noted, counting.raised, counting.status = "round-1", raised, 503
    if raised is None:
        counting.ask()
    else:
        with pytest.raises(type(raised)):
            counting.ask()
    counting.noted, counting.raised, counting.status = None, None, 200
    assert counting.ask().status_code == 200
    assert counting.earlier == "round-1"
    assert counting.ask().headers["idempotent-replayed"] == "true"


def test_old_keys_are_forgotten(counting: Counting) -> None:
    """After the days of the policy; the table does not grow for ever."""
    counting.ask()
    counting.now += timedelta(days=POLICY.idempotency_days, seconds=1)
    counting.ask(key="k-2")
    with read_transaction(counting.engine) as connection:
        assert connection.execute(sa.select(IDEMPOTENT_REQUESTS.c.idempotency_key)).scalars().all() == ["k-2"]


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "ümlaut", '"', '""'])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(HTTPException, match="visible ASCII"):
        idempotency_key(key)


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_order_and_spaces_make_no_other_question(body: dict[str, Any]) -> None:
    """A client that writes JSON otherwise asks the same."""
    turned = dict(reversed(body.items()))
    assert fingerprint("/allocate", json.dumps(body).encode()) == fingerprint(
        "/allocate", json.dumps(turned, indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass")
    )


def test_a_client_that_goes_away_claims_nothing(counting: Counting) -> None:
    """Nothing is carried out."""

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def ask() -> None:
        headers = [(b"x-caller", b"a"), (b"idempotency-key", b"k-1")]
        scope = {"type": "http", "method": "POST", "path": "/allocate", "headers": headers}
        await counting(scope, gone, lambda _: asyncio.sleep(0))

    asyncio.run(ask())
    assert counting.carried_out == 0
    assert counting.ask().status_code == 200
