"""A laboratory sees its own orders and sends its own results; a result that names a round keeps to its plan."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.exceptions import HTTPException

from data.lab_results.store import Sender
from data.lake.lab_results import accepted_results
from sampling.rounds import round_status
from serving.api.lab_orders import LabOrdersAnswer, open_tests
from serving.api.lab_results import LabResultIntake, ResultsAnswer, accept_results
from serving.auth.api_keys import LABORATORY, Key, create_laboratory_key, key_by_secret
from serving.auth.permissions import PERMISSIONS, PRINCIPAL
from serving.console.context import AppContext
from serving.lab_orders.orders import LabOrder
from tests.serving.browser.shop import DAY
from tests.serving.console.conftest import SHOP_NOW, shop_home
from tests.serving.lab_orders.test_lab_orders import orders_of, planned
from touchstone import main

__all__ = ["planned", "shop_home"]


@contextmanager
def asked_by(key: Key) -> Iterator[None]:
    """A request with a key."""
    token = PRINCIPAL.set(key)
    try:
        yield
    finally:
        PRINCIPAL.reset(token)


def key_of(lab_id: str) -> Key:
    """The key of a laboratory."""
    return Key("k-lab", lab_id, LABORATORY, lab_id, lab_id)


def orders_for(context: AppContext, key: Key, lab: str | None = None) -> LabOrdersAnswer:
    """The answer of `GET /lab-orders`."""
    with asked_by(key):
        return open_tests(context, lab)


def sent(context: AppContext, results: list[dict[str, Any]], lab_id: str | None = None) -> ResultsAnswer:
    """The answer of `POST /results`."""
    intake = LabResultIntake(context.engine, context.settings.workspace, context.store)
    return accept_results(intake, results, Sender("lab", "k-lab", SHOP_NOW, lab_id=lab_id))


def planned_order(context: AppContext) -> LabOrder:
    """An order of the round."""
    return next(each for each in orders_of(context) if each.round_id)


def result_of(order: LabOrder, **values: Any) -> dict[str, Any]:
    """A result that names its round."""
    day = DAY.isoformat()
    return {"test_id": "N-1", "sku_id": order.key.sku_id, "market": order.key.market, "happened_on": day,
            "known_on": day, "result": "pass", "origin": "warehouse", "round_id": order.round_id, **values}  # fmt: skip


def test_a_laboratory_sees_its_own_orders_and_others_those_they_ask_for(planned: AppContext) -> None:
    """Each order once, and nothing of why it was chosen."""
    scheduler = Key("k", "ann", "scheduler", "ann")
    every = orders_for(planned, scheduler).orders
    assert {each.order_id for each in every} == {each.order_id for each in orders_of(planned)}
    labs = {each.lab_id for each in every}
    for lab in labs:
        own = orders_for(planned, key_of(lab)).orders
        assert own == orders_for(planned, scheduler, lab).orders
        assert {each.lab_id for each in own} == {lab}
    assert orders_for(planned, key_of("nobody")).orders == []
    with pytest.raises(HTTPException, match="of laboratory 'nobody'"):
        orders_for(planned, key_of("nobody"), next(iter(labs)))


def test_a_result_that_names_its_order_says_the_rest_by_itself(planned: AppContext) -> None:
    """SKU, package, round and laboratory are those of the order; a laboratory is told nothing of rounds."""
    order = planned_order(planned)
    day = DAY.isoformat()
    result = {"test_id": "N-1", "order_id": order.order_id, "happened_on": day, "known_on": day, "result": "pass",
              "origin": "warehouse"}  # fmt: skip
    answer = sent(planned, [result], order.lab)
    assert (answer.accepted, answer.refused, answer.rounds) == (["N-1"], [], [])
    [row] = accepted_results(planned.settings.workspace).to_pylist()
    assert (row["sku_id"], row["round_id"], row["lab_id"], row["package"]) == (
        order.key.sku_id, order.round_id, order.lab, order.package_name
    )  # fmt: skip
    assert order.order_id not in {each.order_id for each in orders_for(planned, key_of(order.lab)).orders}


def test_a_laboratory_sends_its_own_results_only(planned: AppContext) -> None:
    """Another's lab_id and another's order are refused; what states none is its own."""
    order = planned_order(planned)
    named = sent(planned, [result_of(order, lab_id="other", round_id=None)], order.lab)
    assert named.refused[0].why == [f"lab_id is 'other', and this key is of laboratory '{order.lab}': leave it out"]
    taken = sent(planned, [result_of(order, order_id=order.order_id)], "other")
    assert taken.refused[0].why == [f"there is no order '{order.order_id}' of laboratory 'other'"]
    assert sent(planned, [result_of(order, round_id=None)], "other").accepted == ["N-1"]
    assert [row["lab_id"] for row in accepted_results(planned.settings.workspace).to_pylist()] == ["other"]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"happened_on": "2020-01-01"}, "drawn before its round: the sample is of 2020-01-01, round"),
        (
            {"origin": "supplier_provided"},
            "origin is supplier_provided: a supplier's own sample answers no",
        ),
    ],
)
def test_a_sample_from_before_the_round_or_from_the_supplier_answers_none(
    planned: AppContext, values: dict[str, Any], why: str
) -> None:
    answer = sent(planned, [result_of(planned_order(planned), **values)])
    assert answer.accepted == []
    assert why in answer.refused[0].why[0]


def test_what_differs_from_the_plan_is_counted_and_said(planned: AppContext) -> None:
    """Another laboratory counts, another package answers nothing, no result obtainable is an answer without result."""
    rounds = [each for each in orders_of(planned) if each.round_id][:3]
    answer = sent(planned, [
        result_of(rounds[0], test_id="a", lab_id="another"),
        result_of(rounds[1], test_id="b", package="another"),
        result_of(rounds[2], test_id="c", status="cancelled", result="inconclusive"),
    ])  # fmt: skip
    [progress] = answer.rounds
    counts = (progress.received, progress.other_laboratory, progress.other_package, progress.not_obtainable)
    assert counts == (1, 1, 1, 1)
    status = round_status(planned.settings.workspace, progress.round_id)
    assert (status.received, status.other_laboratory, status.other_package, status.not_obtainable) == counts
    second = {"version": 2, "status": "entered_in_error"}
    withdrawn = sent(planned, [result_of(rounds[0], test_id="a", lab_id="another", **second)])
    assert [(each.version, each.amends) for each in withdrawn.amended] == [(2, 1)]
    assert withdrawn.rounds[0].received == 0
    assert not next(each for each in orders_of(planned) if each.order_id == rounds[0].order_id).answered


def test_a_key_of_a_laboratory_is_bound_to_it(planned: AppContext) -> None:
    """It opens results and orders, and no other address of BentoML."""
    key, secret = create_laboratory_key(planned.engine, "LAB-1", SHOP_NOW)
    assert (key.role, key.lab_id) == (LABORATORY, "LAB-1")
    assert key_by_secret(planned.engine, secret) == key
    assert {path for path, roles in PERMISSIONS.items() if LABORATORY in roles} == {"/results"}


def test_only_a_key_of_the_role_laboratory_has_a_laboratory(planned: AppContext) -> None:
    home = str(planned.settings.workspace.home)
    arguments = ["--home", home, "keys", "create", "ann", "--role", "officer", "--lab", "LAB-1"]
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code != 0
    assert "Only a key of the role laboratory is of a laboratory" in refused.output
    made = CliRunner().invoke(main, ["--home", home, "keys", "create", "LAB-1", "--role", "laboratory"])
    assert made.exit_code == 0
