"""An order of several tests stays within the round and answers nothing that was not read."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from serving.console.case import decisions_of
from serving.console.context import AppContext
from serving.console.pages import decision, order_tests
from serving.console.round_budget import RoundBudget
from tests.serving.browser.shop import FAILED_SKU
from tests.serving.console.conftest import csrf_of, signed_into, soup_of

WORDS = "Sold a lot and never tested."


def sent(client: TestClient, token: str, *sku_ids: str) -> dict[str, object]:
    """The form of an order."""
    return {"csrf": csrf_of(client, "/ui/"), "sku": [f"EU/{each}" for each in sku_ids], "code": "never_tested",
            "explanation": WORDS, "form_token": token}  # fmt: skip


def ordered_eur(context: AppContext) -> float:
    """What all tests cost that are ordered."""
    return sum(each.cost_eur or 0 for each in decisions_of(context).in_force())


def test_an_order_beyond_what_is_left_is_refused_with_figures(
    shop: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_tests, "round_budget", lambda *_: RoundBudget("r", 1_000, 500, 500))
    scheduler = signed_into(shop, "scheduler")
    answer = scheduler.post("/ui/queue/ordered", data=sent(scheduler, "t-1", "K-3", "K-6"))
    assert answer.status_code == 400
    assert "EUR 500 of the round&#39;s EUR 1,000 are left. Nothing has been ordered" in answer.text
    assert ordered_eur(shop) == 0


def test_two_officers_at_once_cannot_both_spend_what_is_left(shop: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both saw the same money; the ledger's lock lets one of them have it."""
    monkeypatch.setattr(order_tests, "round_budget", lambda *_: RoundBudget("r", 1_000, 500, 500))
    first, second = signed_into(shop, "scheduler"), signed_into(shop, "admin")
    forms = [(first, sent(first, "t-a", "K-3")), (second, sent(second, "t-b", "K-6"))]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda each: each[0].post("/ui/queue/ordered", data=each[1]).text, forms))
    assert sum("1 of 1 tests ordered" in each for each in answers) == 1
    assert sum("of the round&#39;s budget are left" in each for each in answers) == 1
    assert 0 < ordered_eur(shop) <= 500


def test_an_order_of_several_tests_says_and_stops_no_clock(shop: AppContext) -> None:
    scheduler = signed_into(shop, "scheduler")
    form = sent(scheduler, "t-2", FAILED_SKU)
    assert "Its clock keeps running:" in scheduler.post("/ui/queue/order", data=form).text
    before = soup_of(scheduler, f"/ui/sku/EU/{FAILED_SKU}").select_one(".case-state")
    assert "1 of 1 tests ordered" in scheduler.post("/ui/queue/ordered", data=form).text
    after = soup_of(scheduler, f"/ui/sku/EU/{FAILED_SKU}").select_one(".case-state")
    assert before is not None
    assert before == after


def test_one_test_ordered_on_a_sku_is_held_to_the_same_money(shop: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an order of several tests may not spend, one test ordered on the page of its SKU may not either."""
    monkeypatch.setattr(decision, "round_budget", lambda *_: RoundBudget("r", 1_000, 1, 1))
    officer = signed_into(shop, "admin")
    page = soup_of(officer, "/ui/decide?market=EU&sku_id=K-3")
    form = {str(each["name"]): str(each["value"]) for each in page.select("form.decide input[type=hidden]")}
    package = page.select_one("select[name=package] option")
    assert package is not None
    form |= {
        "disposition": "order_test",
        "code": "never_tested",
        "explanation": WORDS,
        "package": str(package["value"]),
    }
    answer = officer.post("/ui/decide", data=form)
    assert answer.status_code == 400
    assert "EUR 1.00 of the round&#39;s budget are left" in answer.text
    assert ordered_eur(shop) == 0
