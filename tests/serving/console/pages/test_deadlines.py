"""The queue's deadlines are those of each case, and what is due today is what a plain look through the cases finds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from serving.console.case import case_view, catalogue_cases_of, decisions_of
from serving.console.context import AppContext
from serving.console.session import Person
from serving.decisions.deadlines import ActionDeadline
from serving.decisions.rules import Officer, Proposal
from serving.online.store import OnlineStore, open_online_store
from tests.serving.browser.shop import DAY
from tests.serving.console.conftest import SHOP_NOW

SEEN_BY = Person("Olga", "officer", "k-officer")
ORDERED = Proposal("order_test", "score_high", "Looks like the one that failed.", package="Charger safety set")


@pytest.fixture
def store(shop: AppContext) -> OnlineStore:
    """The marketplace in service."""
    return open_online_store(shop.settings.workspace)


def of_cases(context: AppContext, store: OnlineStore) -> list[ActionDeadline | None]:
    """The deadline of every SKU, one case at a time."""
    entries = store.queue.entries(np.arange(len(store.queue)))
    return [case_view(context, SEEN_BY, entry.sku_id, entry.market).deadline for entry in entries]


def first_deadlines(context: AppContext, store: OnlineStore) -> list[ActionDeadline | None]:
    """The deadlines of the catalogue, in the order of rank."""
    positions = store.queue.positions(np.arange(len(store.queue))).tolist()
    return catalogue_cases_of(context, store).first_deadlines(positions)


def decide(context: AppContext, sku_id: str, on: datetime) -> None:
    """Order a test of a SKU."""
    file = case_view(context, SEEN_BY, sku_id, "EU").file
    decisions_of(context).propose(
        replace(ORDERED, form_token=sku_id), Officer("Olga", "officer", "k-officer"), file, on
    )


def test_every_deadline_is_that_of_the_case_before_and_after_decisions(shop: AppContext, store: OnlineStore) -> None:
    """Orders on products and on whole ranges, other markets', old ones, the marketplace's own, and notices."""
    numbers = np.arange(len(store.queue))
    before = of_cases(shop, store)
    assert first_deadlines(shop, store) == before
    assert 3 < sum(each is not None for each in before) < len(numbers)
    decide(shop, "K-1", SHOP_NOW)
    decide(shop, "K-0", SHOP_NOW - timedelta(days=60))
    decide(shop, "K-1", SHOP_NOW - timedelta(days=11))
    after = of_cases(shop, store)
    assert after != before
    assert first_deadlines(shop, store) == after


def test_a_notice_that_nobody_decided_on_is_overdue_for_six_months(shop: AppContext, store: OnlineStore) -> None:
    """Then its SKU has no deadline; a newer notice of a SKU sets one whatever lapsed before it."""
    cases = {sku_id: case_view(shop, SEEN_BY, sku_id, "EU") for sku_id in ("K-1", "K-3", "K-0")}
    assert {sku_id: case.deadline is None for sku_id, case in cases.items()} == {
        "K-1": False,
        "K-3": True,
        "K-0": False,
    }
    queue = store.queue
    listed = {entry.sku_id: entry.rank - 1 for entry in queue.entries(np.arange(len(queue)))}
    notices = queue.column("first_notice")
    assert np.isnat(notices[listed["K-3"]])
    assert notices[listed["K-1"]] == notices[listed["K-0"]] == np.datetime64(DAY - timedelta(days=15))


@pytest.mark.parametrize("later", [-6, -2, 0, 1, 2, 9])
def test_what_is_due_is_what_a_plain_look_through_finds(shop: AppContext, store: OnlineStore, later: int) -> None:
    """Every SKU counts; on days before, on and after the deadlines, one of them answered in part."""
    decide(shop, "K-1", SHOP_NOW - timedelta(days=16))
    context = replace(shop, now=lambda: datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) + timedelta(days=later))
    today = DAY + timedelta(days=later)
    positions = store.queue.positions(np.arange(len(store.queue))).tolist()
    running = zip(positions, of_cases(context, store), strict=True)
    due = {position: each.on for position, each in running if each}
    found = catalogue_cases_of(context, store).due.tolist()
    assert sorted(found) == sorted(due)
    assert [due[each] for each in found] == sorted(due.values())
    assert catalogue_cases_of(context, store).counters.overdue == sum(on < today for on in due.values())
    assert due


def test_the_decisions_are_read_once(shop: AppContext, store: OnlineStore) -> None:
    """However many SKUs have a deadline."""
    statements: list[str] = []
    sa.event.listen(shop.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    cases = catalogue_cases_of(shop, store)
    assert len(cases.due)
    first_deadlines(shop, store)
    assert len([statement for statement in statements if "decisions" in statement]) <= 4
