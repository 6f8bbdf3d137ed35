"""Deliveries to webhook endpoints: one for each change of a decision, tried until answered or given up."""

import base64
import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import httpx
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from data.database.connection import read_transaction, write_transaction
from data.database.schema import DECISIONS
from data.database.schema import WEBHOOK_DELIVERIES as DELIVERIES
from data.errors import UserError
from data.settings import expand_variables
from serving.decisions.feed import decision_changes
from serving.decisions.policy import decision_policy_in_force
from serving.webhooks.policy import Endpoint, WebhookPolicy, webhook_policy_in_force

PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"
SECONDS_BETWEEN_POLLS = 1.0
AT_ONCE = 100


@dataclass(frozen=True)
class Delivery:
    """A row of the table `webhook_deliveries`; `due_at` is the moment of the next try, ISO 8601 in UTC."""

    delivery_id: str
    endpoint: str
    ledger_row: int
    state: str
    attempts: int
    due_at: str
    body: str
    error: str | None


def signature(secret: str, delivery_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header webhook-signature (Standard Webhooks 1.0): HMAC-SHA256 of id, time and body.

    A secret that begins with `whsec_` is base64.
    """
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    signed = hmac.new(key, f"{delivery_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def enqueue_changes(engine: sa.Engine, endpoint: str, now: datetime) -> int:
    """Store a delivery for each decision that changed since the endpoint's last; return how many.

    An endpoint that is new begins with the changes from now on: what is in force it reads from `GET /decisions`.
    """
    newest = sa.select(sa.func.max(DELIVERIES.c.ledger_row)).where(DELIVERIES.c.endpoint == endpoint)
    with read_transaction(engine) as connection:
        last = connection.execute(newest).scalar()
        present = connection.execute(sa.select(sa.func.max(DECISIONS.c.ledger_row))).scalar() or 0
    if last is None:
        _store(engine, [_delivery(endpoint, present, DELIVERED, now, "")])
        return 0
    if present <= last:
        return 0
    changes = decision_changes(engine, last, AT_ONCE, decision_policy_in_force(now.date()), now.date())
    bodies = {
        each.cursor: json.dumps({"type": "decision.changed", "timestamp": _text(now), "data": asdict(each)})
        for each in changes
    }
    _store(engine, [_delivery(endpoint, row, PENDING, now, body) for row, body in bodies.items()])
    return len(bodies)


def deliver_due(engine: sa.Engine, endpoint: Endpoint, policy: WebhookPolicy, now: datetime) -> int:
    """Send the deliveries of an endpoint that are due, each once; return how many were tried.

    A worker first moves the next try beyond the timeout, so that no other sends the same one at the same time.
    """
    due = sa.and_(
        DELIVERIES.c.endpoint == endpoint.name, DELIVERIES.c.state == PENDING, DELIVERIES.c.due_at <= _text(now)
    )
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(DELIVERIES).where(due).order_by(DELIVERIES.c.ledger_row).limit(AT_ONCE))
        waiting = [Delivery(**row._mapping) for row in rows]
    tried = 0
    with httpx.Client(timeout=policy.timeout_seconds, follow_redirects=False) as client:
        for delivery in waiting:
            if not _claim(engine, delivery, policy, now):
                continue
            tried += 1
            error = _send(client, endpoint, delivery, now)
            _settle(engine, delivery, error, policy, now)
            if error is not None:
                break
    return tried


def dead_deliveries(engine: sa.Engine, most: int) -> list[Delivery]:
    """The deliveries that were given up, the newest first."""
    query = sa.select(DELIVERIES).where(DELIVERIES.c.state == DEAD).order_by(DELIVERIES.c.ledger_row.desc()).limit(most)
    with read_transaction(engine) as connection:
        return [Delivery(**row._mapping) for row in connection.execute(query)]


def retry_delivery(engine: sa.Engine, delivery_id: str, now: datetime) -> None:
    """Let a delivery that was given up be tried from the beginning; UserError where it is none."""
    dead = sa.and_(DELIVERIES.c.delivery_id == delivery_id, DELIVERIES.c.state == DEAD)
    with write_transaction(engine) as connection:
        values = {"state": PENDING, "attempts": 0, "due_at": _text(now)}
        if connection.execute(sa.update(DELIVERIES).where(dead).values(**values)).rowcount != 1:
            raise UserError(f"No message {delivery_id!r} was given up. Look at the list again.")


def start_deliveries(engine: Callable[[], sa.Engine], log: logging.Logger) -> list[threading.Thread]:
    """Deliver to every endpoint of the policy in force, in a thread each, as long as the process lives."""
    policy = webhook_policy_in_force(datetime.now(UTC).date())
    threads = [
        threading.Thread(target=_keep_delivering, args=(engine, each, policy, log), name=each.name, daemon=True)
        for each in policy.endpoints
    ]
    for thread in threads:
        thread.start()
    return threads


def _keep_delivering(
    engine: Callable[[], sa.Engine], endpoint: Endpoint, policy: WebhookPolicy, log: logging.Logger
) -> None:
    pause = threading.Event()
    while not pause.wait(SECONDS_BETWEEN_POLLS):
        try:
            now = datetime.now(UTC)
            enqueue_changes(engine(), endpoint.name, now)
            deliver_due(engine(), endpoint, policy, now)
        except UserError as error:
            log.warning("Messages to %s wait: %s", endpoint.name, error)


def _claim(engine: sa.Engine, delivery: Delivery, policy: WebhookPolicy, now: datetime) -> bool:
    """Whether this worker sends the delivery: the first one that moves its next try."""
    lease = now + timedelta(seconds=2 * policy.timeout_seconds)
    mine = sa.and_(
        DELIVERIES.c.delivery_id == delivery.delivery_id, DELIVERIES.c.state == PENDING,
        DELIVERIES.c.due_at == delivery.due_at,
    )  # fmt: skip
    with write_transaction(engine) as connection:
        values = {"due_at": _text(lease), "attempts": delivery.attempts + 1}
        return connection.execute(sa.update(DELIVERIES).where(mine).values(**values)).rowcount == 1


def _send(client: httpx.Client, endpoint: Endpoint, delivery: Delivery, now: datetime) -> str | None:
    """Send a delivery; why it failed, None where it was answered with 2xx."""
    body, timestamp = delivery.body.encode(), int(now.timestamp())
    try:
        secret = expand_variables(endpoint.secret)
        headers = {
            "content-type": "application/json", "webhook-id": delivery.delivery_id, "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(secret, delivery.delivery_id, timestamp, body),
        }  # fmt: skip
        answer = client.post(expand_variables(endpoint.url), content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{type(error).__name__}: no answer"
    except UserError as error:
        return str(error)
    return None if answer.is_success else f"answered with status {answer.status_code}"


def _settle(engine: sa.Engine, delivery: Delivery, error: str | None, policy: WebhookPolicy, now: datetime) -> None:
    """Note the outcome of a try: delivered, to be tried again, or given up."""
    waits, attempts = policy.retry_after_seconds, delivery.attempts + 1
    if error is None:
        values = {"state": DELIVERED, "error": None}
    elif attempts > len(waits):
        values = {"state": DEAD, "error": error}
    else:
        values = {"due_at": _text(now + timedelta(seconds=waits[attempts - 1])), "error": error}
    with write_transaction(engine) as connection:
        mine = DELIVERIES.c.delivery_id == delivery.delivery_id
        connection.execute(sa.update(DELIVERIES).where(mine).values(**values))


def _store(engine: sa.Engine, deliveries: list[Delivery]) -> None:
    """Store deliveries that no other worker stored."""
    insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
    with write_transaction(engine) as connection:
        for each in deliveries:
            connection.execute(insert(DELIVERIES).values(**asdict(each)).on_conflict_do_nothing())


def _delivery(endpoint: str, ledger_row: int, state: str, now: datetime, body: str) -> Delivery:
    digest = hashlib.sha256(f"{endpoint}\0{ledger_row}".encode()).hexdigest()[:16]
    return Delivery(f"w-{digest}", endpoint, ledger_row, state, 0, _text(now), body, None)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
