"""Every change of a decision reaches every endpoint once, signed; what never answers costs nobody else anything."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sqlalchemy as sa

from data.errors import UserError
from serving.decisions.store import Decisions
from serving.webhooks.delivery import (
    dead_deliveries,
    deliver_due,
    enqueue_changes,
    retry_delivery,
    signature,
)
from serving.webhooks.policy import Endpoint, WebhookPolicy
from tests.serving.decisions.cases import ANNA, BERND, NOON, file, proposal, removed

SECRET = "a secret of the two"  # noqa: S105 - of this test
WEBHOOKS = WebhookPolicy.model_validate({"timeout_seconds": 0.5, "retry_after_seconds": (5, 30)})


class Receiver:
    """An endpoint that notes what it gets; `status` None never answers."""

    def __init__(self) -> None:
        self.status: int | None = 200
        self.received: list[tuple[dict[str, str], bytes]] = []
        self._release = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
                if receiver.status is None:
                    receiver._release.wait(5)
                    return
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> Endpoint:
        """It, as a policy names it."""
        return Endpoint(name="listing", url=f"http://127.0.0.1:{self.server.server_port}/", secret=SECRET)

    def close(self) -> None:
        """Let whoever waits go."""
        self._release.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An endpoint of this machine."""
    receiver = Receiver()
    yield receiver
    receiver.close()


def followed(engine: sa.Engine, decisions: Decisions) -> None:
    """A removal that the endpoint is to hear of: it follows already."""
    assert enqueue_changes(engine, "listing", NOON) == 0
    removed(decisions)
    assert enqueue_changes(engine, "listing", NOON) == 1
    assert enqueue_changes(engine, "listing", NOON) == 0


def test_a_change_is_delivered_once_and_signed(state: sa.Engine, decisions: Decisions, receiver: Receiver) -> None:
    followed(state, decisions)
    workers = [threading.Thread(target=deliver_due, args=(state, receiver.endpoint, WEBHOOKS, NOON)) for _ in "abc"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    ((headers, body),) = receiver.received
    expected = signature(SECRET, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == expected
    told = json.loads(body)
    assert (told["type"], told["data"]["disposition"], told["data"]["restricts"]) == (
        "decision.changed",
        "remove",
        True,
    )
    assert deliver_due(state, receiver.endpoint, WEBHOOKS, NOON + timedelta(days=1)) == 0


def test_the_signature_is_that_of_the_published_example() -> None:
    """The vector of the specification Standard Webhooks 1.0."""
    given = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert given == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", [500, 302, None])
def test_what_is_not_answered_is_tried_again_and_then_given_up(
    state: sa.Engine,
    decisions: Decisions,
    receiver: Receiver,
    status: int | None,
) -> None:
    """After five and after thirty seconds; then a person sees it and may send it again."""
    receiver.status = status
    followed(state, decisions)
    moments = [NOON, NOON + timedelta(seconds=5), NOON + timedelta(seconds=35)]
    for moment in moments:
        assert deliver_due(state, receiver.endpoint, WEBHOOKS, moment - timedelta(seconds=1)) == 0
        assert deliver_due(state, receiver.endpoint, WEBHOOKS, moment) == 1
    (dead,) = dead_deliveries(state, 10)
    assert dead.attempts == 3
    assert dead.error
    receiver.status = 204
    retry_delivery(state, dead.delivery_id, moments[-1])
    with pytest.raises(UserError, match="Look at the list again"):
        retry_delivery(state, dead.delivery_id, moments[-1])
    assert deliver_due(state, receiver.endpoint, WEBHOOKS, moments[-1]) == 1
    assert dead_deliveries(state, 10) == []


def test_a_worker_that_dies_while_sending_loses_nothing(
    state: sa.Engine,
    decisions: Decisions,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its delivery is due again after twice the timeout."""
    followed(state, decisions)
    with monkeypatch.context() as dying:
        dying.setattr("serving.webhooks.delivery._send", _die)
        with pytest.raises(RuntimeError):
            deliver_due(state, receiver.endpoint, WEBHOOKS, NOON)
    assert deliver_due(state, receiver.endpoint, WEBHOOKS, NOON) == 0
    assert deliver_due(state, receiver.endpoint, WEBHOOKS, NOON + timedelta(seconds=1)) == 1
    assert len(receiver.received) == 1


def _die(*_: object) -> None:
    raise RuntimeError("killed")


def test_a_secret_that_is_not_set_is_named(state: sa.Engine, decisions: Decisions, receiver: Receiver) -> None:
    followed(state, decisions)
    endpoint = receiver.endpoint.model_copy(update={"secret": "${NO_SUCH_SECRET_IS_SET}"})
    deliver_due(state, endpoint, WEBHOOKS, NOON)
    with state.connect() as connection:
        errors = connection.execute(sa.text("SELECT error FROM webhook_deliveries WHERE error IS NOT NULL")).scalars()
        assert list(errors) == [
            "The environment variable NO_SUCH_SECRET_IS_SET is not set. Set it where the program runs."
        ]
    assert receiver.received == []


@pytest.mark.parametrize("url", ["http://listing.example/", "ftp://listing.example/", "listing"])
def test_an_address_without_encryption_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="needs an https address"):
        Endpoint(name="listing", url=url, secret=SECRET)


def test_a_proposal_and_its_approval_are_two_changes(state: sa.Engine, decisions: Decisions) -> None:
    """Told as they happen; asked late, only the last state is."""
    enqueue_changes(state, "listing", NOON)
    proposed = decisions.propose(proposal("pause"), ANNA, file(), NOON)
    assert enqueue_changes(state, "listing", NOON) == 1
    decisions.approve(proposed.decision_id, BERND, NOON)
    assert enqueue_changes(state, "listing", NOON) == 1
