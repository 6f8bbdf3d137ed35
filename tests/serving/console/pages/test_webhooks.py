"""What could not be delivered is seen by an admin, who may send it again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from data.database.connection import open_database
from serving.console.context import AppContext
from serving.decisions.store import Decisions
from serving.webhooks.delivery import dead_deliveries, deliver_due, enqueue_changes
from serving.webhooks.policy import Endpoint, WebhookPolicy
from tests.serving.console.conftest import context_of, csrf_of, signed_into, soup_of
from tests.serving.decisions.cases import NOON, POLICY, removed

DEAF = Endpoint(name="listing <b>control</b>", url="http://127.0.0.1:9/", secret="of this test")  # noqa: S106
ONCE = WebhookPolicy.model_validate({"timeout_seconds": 0.5, "retry_after_seconds": (1,)})


@pytest.fixture
def undelivered(context: AppContext, tmp_path: Path) -> Iterator[tuple[AppContext, sa.Engine]]:
    """A context with one message that was given up."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    enqueue_changes(engine, DEAF.name, NOON)
    removed(Decisions(engine, POLICY))
    enqueue_changes(engine, DEAF.name, NOON)
    for seconds in (0, 1):
        deliver_due(engine, DEAF, ONCE, NOON + timedelta(seconds=seconds))
    yield context_of(context.settings.workspace.home, engine), engine
    engine.dispose()


def test_an_admin_sends_it_again(undelivered: tuple[AppContext, sa.Engine]) -> None:
    context, engine = undelivered
    (dead,) = dead_deliveries(engine, 10)
    admin = signed_into(context, "admin")
    page = soup_of(admin, "/ui/webhooks")
    assert "listing <b>control</b>" in page.text
    assert "ConnectError: no answer" in page.text
    where = f"/ui/webhooks/{dead.delivery_id}/retry"
    assert admin.post(where, data={"csrf": csrf_of(admin, "/ui/webhooks")}).status_code == 303
    assert dead_deliveries(engine, 10) == []
    again = admin.post(where, data={"csrf": csrf_of(admin, "/ui/webhooks")})
    assert (again.status_code, "Look at the list again" in again.text) == (400, True)


def test_nobody_else_sees_them(undelivered: tuple[AppContext, sa.Engine]) -> None:
    client: TestClient = signed_into(undelivered[0], "officer")
    assert client.get("/ui/webhooks").status_code == 403
