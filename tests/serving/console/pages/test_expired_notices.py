"""A notice that ran out without a decision is counted, so that it does not leave unseen."""

from datetime import timedelta

import pytest

from serving.console.case import case_view, decisions_of
from serving.console.context import AppContext
from serving.console.pages.overview import ExpiredNotices, expired_notices
from serving.decisions.rules import Officer, Proposal
from serving.online.store import OnlineStore, open_online_store
from tests.serving.console.conftest import SHOP_NOW, signed_into, soup_of
from tests.serving.console.pages.test_deadlines import SEEN_BY, decide

FIRST, LAST = 200, 17
"""The notices on K-1 and K-3 became known and ran out so many days ago."""


@pytest.fixture
def store(shop: AppContext) -> OnlineStore:
    """The marketplace in service."""
    return open_online_store(shop.settings.workspace)


def notices_text(context: AppContext) -> str:
    """What the overview says of them."""
    return soup_of(signed_into(context, "analyst"), "/ui/overview").get_text(" ", strip=True)


def test_what_nobody_decided_on_is_told_in_one_sentence(shop: AppContext, store: OnlineStore) -> None:
    """Notices that still run are not among them; once all were decided on in time, that is said."""
    assert expired_notices(shop, store) == ExpiredNotices(2, 2, FIRST - LAST)
    assert "2 of 2 notices lapsed without a decision within 183 days." in notices_text(shop)
    for sku_id in ("K-1", "K-3"):
        decide(shop, sku_id, SHOP_NOW - timedelta(days=LAST))
    assert "None of 2 notices lapsed without a decision within 183 days." in notices_text(shop)


@pytest.mark.parametrize("days_ago", [FIRST + 1, FIRST, FIRST - 1, LAST + 1, LAST, LAST - 1, 0])
def test_a_decision_answers_a_notice_from_its_day_until_it_runs_out(
    shop: AppContext, store: OnlineStore, days_ago: int
) -> None:
    """One before it, or after its days, answers nothing; nor does one on another SKU."""
    decide(shop, "K-3", SHOP_NOW - timedelta(days=days_ago))
    decide(shop, "K-40", SHOP_NOW - timedelta(days=100))
    assert expired_notices(shop, store).undecided == (1 if LAST <= days_ago <= FIRST else 2)


def test_a_declined_proposal_answers_nothing(shop: AppContext, store: OnlineStore) -> None:
    proposal = Proposal("pause", "incident_under_inquiry", "Buyers report shocks; an inquiry runs.")
    then, olga, otto = (
        SHOP_NOW - timedelta(days=100),
        Officer("Olga", "officer", "k-1"),
        Officer("Otto", "officer", "k-2"),
    )
    proposed = decisions_of(shop).propose(proposal, olga, case_view(shop, SEEN_BY, "K-3", "EU").file, then)
    assert expired_notices(shop, store).undecided == 1
    decisions_of(shop).decline(proposed.decision_id, otto, then, "The inquiry is about another product.")
    assert expired_notices(shop, store).undecided == 2
