"""A marketplace in which things were decided: what every page needs to have something to show."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
from bs4 import BeautifulSoup

from tests.serving.browser.conftest import Shop
from tests.serving.browser.shop import MARKUP

REMOVED, WAITING, BOUGHT_EUR = "K-28", "K-16", 5_000
WORDS = f"The part came loose in the laboratory. {MARKUP}"


def filled(shop: Shop) -> Mapping[str, str]:
    """Decide, approve, appeal and plan as people would; what fills the addresses of pages about them.

    `decision_id` is a removal in force with an open appeal, `letter_id` its statement of reasons, `waiting` a removal
    that waits; people wrote markup throughout.
    """
    with _signed_in(shop, "officer") as first:
        removed, waiting = (_proposed(first, sku_id) for sku_id in (REMOVED, WAITING))
    with _signed_in(shop, "second") as second:
        _sent(second, removed, f"{removed}/approve", note=WORDS)
        _sent(second, removed, f"{removed}/appeal", grounds=WORDS)
        letter = second.get(f"{removed}/statement").headers["location"]
    with _signed_in(shop, "scheduler") as scheduler:
        drawn = _sent(scheduler, f"/plan?budget_eur={BOUGHT_EUR}", "/plan", budget_eur=str(BOUGHT_EUR))
    pages = {"decision_id": removed, "letter_id": letter, "waiting": waiting, "round_id": drawn}
    return {name: page.rpartition("/")[2] for name, page in pages.items()}


@contextmanager
def _signed_in(shop: Shop, who: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.pages, timeout=30) as client:
        _sent(client, "/sign-in", "/sign-in", key=shop.keys[who])
        yield client


def _proposed(client: httpx.Client, sku_id: str) -> str:
    where = f"/decide?market=EU&sku_id={sku_id}"
    if "First your own estimate" in client.get(where).text:
        _sent(client, where, "/estimate", percent="30")
    return _sent(client, where, "/decide", disposition="remove", code="failed_independent_test", explanation=WORDS)


def _sent(client: httpx.Client, page: str, to: str, **fields: str) -> str:
    """Send the form at `page` to an address with these fields; where that leads."""
    hidden = BeautifulSoup(client.get(page).text, "html.parser").select("main form input[type=hidden]")
    form = {str(each["name"]): str(each["value"]) for each in hidden}
    answer = client.post(to, data={**form, **fields})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix("/ui")
