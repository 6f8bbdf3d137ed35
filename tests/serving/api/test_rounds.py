"""Rounds as resources: listed in the order of their draw, each with its tests, and cancelled once."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from data.database.audit_log import audit_rows
from data.errors import UserError
from sampling.cancellations import Canceller, cancel_round, cancellation_of
from sampling.plan_files import planned_tests
from sampling.rounds import in_progress, round_status, round_text
from serving.api.allocate import Planner, draw_plan
from serving.api.rounds import stored_plan
from serving.auth.api_keys import Key
from serving.auth.permissions import PRINCIPAL
from serving.console.context import AppContext
from serving.lab_orders.orders import open_orders
from serving.schemas import plan_answer
from tests.serving.browser.shop import DAY
from tests.serving.console.conftest import SHOP_NOW, mounted, shop_home
from tests.serving.lab_orders.test_lab_orders import orders_of, planned
from tests.serving.lab_orders.test_laboratory_keys import result_of, sent

__all__ = ["planned", "shop_home"]
SCHEDULER = Key("k-scheduler", "Sam", "scheduler", "Sam")
REASON = {"reason": "The laboratory is closed."}


@pytest.fixture
def client(planned: AppContext) -> Iterator[TestClient]:
    """The service in this process, asked by a scheduler."""
    token = PRINCIPAL.set(SCHEDULER)
    with TestClient(mounted(planned)) as client:
        yield client
    PRINCIPAL.reset(token)


def round_of(context: AppContext) -> str:
    """The only round."""
    return next(str(each.round_id) for each in orders_of(context) if each.round_id)


def draw(context: AppContext, seed: int, budget_eur: float = 450) -> Any:
    """Another round."""
    by = Planner(context.engine, "Sam", SHOP_NOW)
    return draw_plan(context.settings.workspace, context.store, budget_eur, by, seed)


def test_rounds_come_page_by_page_in_the_order_of_their_draw(planned: AppContext, client: TestClient) -> None:
    """Each once; a round that is drawn later comes after the cursor."""
    drawn = [round_of(planned), *(draw(planned, seed).summary.round_id for seed in (7, 3))]
    seen, cursor, more = [], 0, True
    while more:
        answer = client.get("/rounds", params={"after": cursor, "limit": 1}).json()
        seen += [each["round_id"] for each in answer["rounds"]]
        cursor, more = answer["cursor"], answer["more"]
    assert seen == drawn
    later = draw(planned, 9).summary.round_id
    answer = client.get("/rounds", params={"after": cursor}).json()
    assert [each["round_id"] for each in answer["rounds"]] == [later]
    assert client.get("/rounds", params={"after": answer["cursor"]}).json() == {
        "rounds": [], "cursor": answer["cursor"], "more": False,
    }  # fmt: skip


def test_a_round_tells_how_far_it_is_and_its_tests(planned: AppContext, client: TestClient) -> None:
    """As the results that came in; JSON and CSV hold the same tests."""
    name = round_of(planned)
    order = next(each for each in orders_of(planned) if each.round_id)
    sent(planned, [result_of(order)])
    answer = client.get(f"/rounds/{name}").json()
    assert (answer["state"], answer["received"], answer["not_obtainable"]) == ("open", 1, 0)
    tests = client.get(f"/rounds/{name}/tests").json()["tests"]
    assert len(tests) == answer["planned"]
    states = {(each["sku_id"], each["market"]): (each["state"], each["test_ids"]) for each in tests}
    assert states.pop(order.key) == ("received", ["N-1"])
    assert set(map(str, states.values())) == {str(("waiting", []))}
    table = client.get(f"/rounds/{name}/tests", params={"format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [(row["sku_id"], row["state"], row["inclusion_probability"]) for row in rows] == [
        (each["sku_id"], each["state"], str(each["inclusion_probability"])) for each in tests
    ]


def test_a_stored_plan_is_the_answer_that_was_given(planned: AppContext) -> None:
    """Every field, so that an answer that was lost is given again."""
    plan, scored = draw(planned, 11), planned.store.publication
    given = plan_answer(plan, scored.model_version, scored.feature_version)
    assert stored_plan(planned.settings.workspace, plan.summary.round_id) == given


def test_an_unknown_round_is_404_in_a_sentence(planned: AppContext, client: TestClient) -> None:
    """No path of the server stands in it; a method that an address does not take is 405 with those that it takes."""
    asked = [client.get("/rounds/r-0"), client.get("/rounds/r-0/tests"), client.post("/rounds/r-0/cancel", json=REASON)]
    for answer in asked:
        assert answer.status_code == 404
        assert answer.json()["error"].startswith("There is no round 'r-0'.")
        assert str(planned.settings.workspace.home) not in answer.text
    refused = client.delete("/rounds/r-0")
    assert (refused.status_code, refused.headers["allow"], list(refused.json())) == (405, "GET", ["error"])


def test_a_cancelled_round_is_owed_no_more_and_keeps_what_came_in(planned: AppContext, client: TestClient) -> None:
    """Its reason is on record once; orders close, its SKUs may be drawn again, results count, also late ones."""
    name, workspace = round_of(planned), planned.settings.workspace
    tests = planned_tests(workspace).select(["sku_id", "market", "package"]).to_pylist()
    own = {tuple(row.values()) for row in tests}
    orders = [each for each in orders_of(planned) if each.round_id]
    first, late, *others = [each for each in orders if (*each.key, each.package_name) in own]
    sent(planned, [result_of(first)])
    answers = [client.post(f"/rounds/{name}/cancel", json=body) for body in (REASON, {"reason": "Another."})]
    assert [each.json() for each in answers] == [answers[0].json()] * 2
    assert answers[0].json()["state"] == "cancelled"
    assert answers[0].json()["cancellation"]["reason"] == REASON["reason"]
    [row] = [row for row in audit_rows(planned.engine, name) if row.action == "cancel_round"]
    assert REASON["reason"] in row.content
    assert (row.actor, "k-scheduler" in row.content) == ("Sam", True)
    status = round_status(workspace, name)
    assert (status.received, status.not_obtainable, status.provisional) == (1, len(others) + 1, False)
    assert "It was cancelled on" in round_text(status)
    waiting = open_orders(orders_of(planned), DAY).values()
    assert {each.round_id for orders in waiting for each in orders} == {None}
    assert len(in_progress(workspace, DAY, 21, but="")) == 0
    assert sent(planned, [result_of(late, test_id="N-2")]).accepted == ["N-2"]
    assert client.get(f"/rounds/{name}").json()["received"] == 2
    states = {each["state"] for each in client.get(f"/rounds/{name}/tests").json()["tests"]}
    assert states == {"received", "not_obtainable"}


def test_a_cancellation_changes_no_round_drawn_before_it(planned: AppContext) -> None:
    """Redrawn with its seed it is the same plan; one that is drawn after the cancellation may take the freed SKUs."""
    name, workspace = round_of(planned), planned.settings.workspace
    before = draw(planned, 3)
    cancel_round(planned.engine, workspace, name, "closed", 1, Canceller("Sam", "k", SHOP_NOW))
    assert draw(planned, 3).units.equals(before.units)
    after = draw(planned, 4, 5000)
    assert after.summary.in_test < before.summary.in_test + before.summary.tests


def test_where_the_record_cannot_be_written_the_round_stands(
    planned: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither half is left, also where the disk is full; without a reason nothing is cancelled."""
    name, workspace = round_of(planned), planned.settings.workspace
    by = Canceller("Sam", "k", SHOP_NOW)
    with pytest.raises(UserError, match="needs a reason of 1 to 500"):
        cancel_round(planned.engine, workspace, name, " \n", 1, by)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space"):
            cancel_round(planned.engine, workspace, name, "closed", 1, by)
    assert cancellation_of(workspace, name) is None
    assert not [row for row in audit_rows(planned.engine, name) if row.action == "cancel_round"]


@pytest.mark.parametrize(("role", "status"), [("officer", 403), ("analyst", 403), ("admin", 200)])
def test_schedulers_and_admins_cancel(planned: AppContext, role: Any, status: int) -> None:
    """Others read."""
    token = PRINCIPAL.set(Key("k", "ann", role, "ann"))
    with TestClient(mounted(planned)) as client:
        assert client.post(f"/rounds/{round_of(planned)}/cancel", json=REASON).status_code == status
        assert client.get("/rounds").status_code == 200
    PRINCIPAL.reset(token)
