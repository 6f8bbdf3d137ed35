"""What docs/api.md shows: its examples check a real delivery; addresses, statuses and days are those in force."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from serving.api.idempotency import IDEMPOTENT, LONGEST_KEY
from serving.api.openapi import ERRORS
from serving.auth.rate_limit import access_policy_in_force
from serving.decisions.store import Decisions
from serving.webhooks.delivery import deliver_due, enqueue_changes
from serving.webhooks.policy import WebhookPolicy, webhook_policy_in_force
from tests.serving.decisions.cases import removed
from tests.serving.webhooks.test_delivery import WEBHOOKS, Receiver, receiver

__all__ = ["receiver"]
PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
SECRETS = ("a secret of the two", "whsec_" + base64.b64encode(b"another secret of the two").decode())
DAY = date(2026, 7, 1)
Delivered = tuple[dict[str, str], bytes]


def block(language: str) -> str:
    """The example of the page in a language."""
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return str(found)


def delivered(engine: sa.Engine, decisions: Decisions, receiver: Receiver, secret: str, now: datetime) -> Delivered:
    """The message of a removal as the endpoint got it."""
    endpoint = receiver.endpoint.model_copy(update={"secret": secret})
    enqueue_changes(engine, endpoint.name, now)
    removed(decisions)
    enqueue_changes(engine, endpoint.name, now)
    assert deliver_due(engine, endpoint, WEBHOOKS, now) == 1
    return receiver.received[-1]


def changed(message: Delivered, secret: str) -> list[tuple[Mapping[str, str], bytes, str]]:
    """What is not genuine: another body, id, time, signature or secret."""
    headers, body = message
    others = [{**headers, name: value} for name, value in (
        ("webhook-id", "w-0"), ("webhook-timestamp", str(int(headers["webhook-timestamp"]) - 1)),
        ("webhook-signature", "v1,AAAA"), ("webhook-signature", ""),
    )]  # fmt: skip
    return [(headers, body + b" ", secret), (headers, body, "another"), *((each, body, secret) for each in others)]


@pytest.mark.parametrize("secret", SECRETS)
def test_the_python_example_believes_a_delivery_and_nothing_else(
    state: sa.Engine, decisions: Decisions, receiver: Receiver, secret: str
) -> None:
    """As the page has it."""
    names: dict[str, Any] = {}
    exec(block("python"), names)  # noqa: S102 - our own page
    headers, body = message = delivered(state, decisions, receiver, secret, datetime.now(UTC))
    assert names["is_genuine"](headers, body, secret)
    two = {**headers, "webhook-signature": "v1,AAAA " + headers["webhook-signature"]}
    assert names["is_genuine"](two, body, secret)
    assert not any(names["is_genuine"](*each) for each in changed(message, secret))
    assert json.loads(body)["type"] == "decision.changed"


def test_the_python_example_believes_nothing_old(state: sa.Engine, decisions: Decisions, receiver: Receiver) -> None:
    """A message that somebody kept."""
    names: dict[str, Any] = {}
    exec(block("python"), names)  # noqa: S102 - our own page
    kept = delivered(state, decisions, receiver, SECRETS[0], datetime.now(UTC) - timedelta(minutes=6))
    assert not names["is_genuine"](*kept, SECRETS[0])


def test_the_javascript_example_does_the_same(
    state: sa.Engine, decisions: Decisions, receiver: Receiver, tmp_path: Path
) -> None:
    """In Node, where it is installed."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    (tmp_path / "genuine.mjs").write_text(block("js"), encoding="utf-8")
    (tmp_path / "check.mjs").write_text(
        'import { readFileSync } from "node:fs"; import { isGenuine } from "./genuine.mjs";\n'
        'const cases = JSON.parse(readFileSync(0, "utf-8"));\n'
        "console.log(JSON.stringify(cases.map(([headers, body, secret]) =>"
        ' isGenuine(headers, Buffer.from(body, "base64"), secret))));\n',
        encoding="utf-8",
    )
    message = delivered(state, decisions, receiver, SECRETS[1], datetime.now(UTC))
    cases = [(*message, SECRETS[1]), *changed(message, SECRETS[1])]
    sent = json.dumps([(headers, base64.b64encode(body).decode(), secret) for headers, body, secret in cases])
    ran = subprocess.run([node, str(tmp_path / "check.mjs")], input=sent, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [True, *[False] * (len(cases) - 1)]


def test_the_page_names_what_is_in_force() -> None:
    """Addresses that take the header, statuses, days, waits and the longest key."""
    section = PAGE.split("## Repeat a question safely")[1].split("##")[0]
    assert set(re.findall(r"`(?:POST )?(/[a-z_{}/]+)`", section)) == IDEMPOTENT
    assert f"at most {LONGEST_KEY} visible" in section
    statuses = set(re.findall(r"\b[45]\d\d\b", PAGE.split("| status |")[1].split("**Ask again**")[0]))
    assert statuses == {*ERRORS, "404", "409", "422"}
    assert access_policy_in_force(DAY).idempotency_days == 7
    policy: WebhookPolicy = webhook_policy_in_force(DAY)
    assert (policy.timeout_seconds, tuple(policy.retry_after_seconds)) == (10, (5, 30, 120, 600, 3600, 21600))
