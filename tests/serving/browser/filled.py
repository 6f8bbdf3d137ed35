"""A marketplace in which things were decided: what every page needs to have something to show."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import sqlalchemy as sa
from bs4 import BeautifulSoup

from data.database.connection import open_database
from data.database.schema import WEBHOOK_DELIVERIES
from serving.api.allocate import Planner, draw_round
from serving.online.store import open_online_store
from tests.sampling.answered_rounds import answered_round
from tests.serving.browser.conftest import Shop
from tests.serving.browser.shop import DAY, MARKUP

REMOVED, WAITING, MODIFIED, BOUGHT_EUR = "K-28", "K-16", "K-40", 5_000
WORDS = f"The part came loose in the laboratory. {MARKUP}"


def filled(shop: Shop) -> Mapping[str, str]:
    """Decide, approve, appeal and plan as people would; what fills the addresses of pages about them.

    `decision_id` is a removal in force with an open appeal, `letter_id` its statement of reasons, `waiting` a removal
    that waits; people wrote markup throughout.
    """
    with signed_in(shop, "officer") as first:
        order_test(first, ORDERED)
        removed, waiting, modified = (_proposed(first, sku_id) for sku_id in (REMOVED, WAITING, MODIFIED))
    with signed_in(shop, "second") as second:
        _sent(second, removed, f"{removed}/approve", note=WORDS)
        _sent(second, modified, f"{modified}/approve", note=WORDS)
        for each in (removed, modified):
            _sent(second, each, f"{each}/appeal", grounds=WORDS)
        letter = second.get(f"{removed}/statement").headers["location"]
    with signed_in(shop, "third") as third:
        answer = BeautifulSoup(third.get(modified).text, "html.parser").select_one(".appeal form")
        assert answer is not None
        outcome = {"outcome": "modified", "modified_to": "pause/failed_test_of_same_product", "note": WORDS}
        _sent(third, modified, str(answer["action"]).removeprefix("/ui"), **outcome)
    _undelivered(shop)
    answered_round(shop.workspace, DAY - timedelta(days=21), "K-{}", "EU", "toys_3_plus")
    pages = {"decision_id": removed, "letter_id": letter, "waiting": waiting, "modified": modified,
             "round_id": _drawn(shop)}  # fmt: skip
    return {name: page.rpartition("/")[2] for name, page in pages.items()}


def _undelivered(shop: Shop) -> None:
    """A message to a webhook endpoint that was given up."""
    row = {
        "delivery_id": "w-1", "endpoint": MARKUP, "ledger_row": 1, "state": "dead", "attempts": 3, "body": "{}",
        "due_at": datetime.now(UTC).isoformat(), "error": "ConnectError: no answer",
    }  # fmt: skip
    engine = open_database(f"sqlite:///{shop.workspace.database}")
    with engine.begin() as connection:
        connection.execute(sa.insert(WEBHOOK_DELIVERIES).values(**row))
    engine.dispose()


def _drawn(shop: Shop) -> str:
    """A round of the day of the scores, which the plan page draws no more."""
    engine = open_database(f"sqlite:///{shop.workspace.database}")
    day = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    by = Planner(engine, "Sam", day)
    round_id = draw_round(shop.workspace, open_online_store(shop.workspace), BOUGHT_EUR, by).round_id
    engine.dispose()
    return round_id


ORDERED = "K-3"


@contextmanager
def signed_in(shop: Shop, who: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop.pages, timeout=30) as client:
        _sent(client, "/sign-in", "/sign-in", key=shop.keys[who])
        yield client


def order_test(client: httpx.Client, sku_id: str) -> str:
    """A test ordered by the person signed in, while no round has used up the budget."""
    where = f"/decide?market=EU&sku_id={sku_id}"
    _give_estimate(client, where)
    package = BeautifulSoup(client.get(where).text, "html.parser").select_one("#package option")
    assert package is not None
    return _sent(client, where, "/decide", disposition="order_test", code="never_tested", explanation=WORDS,
                 package=str(package["value"]))  # fmt: skip


def _give_estimate(client: httpx.Client, where: str) -> None:
    """The own estimate, where the case was drawn for one."""
    if "First your own estimate" in client.get(where).text:
        _sent(client, where, "/estimate", percent="30")


def _proposed(client: httpx.Client, sku_id: str) -> str:
    where = f"/decide?market=EU&sku_id={sku_id}"
    _give_estimate(client, where)
    return _sent(client, where, "/decide", disposition="remove", code="failed_independent_test", explanation=WORDS)


def _sent(client: httpx.Client, page: str, to: str, **fields: str) -> str:
    """Send the form at `page` to an address with these fields; where that leads."""
    hidden = BeautifulSoup(client.get(page).text, "html.parser").select("main form input[type=hidden]")
    form = {str(each["name"]): str(each["value"]) for each in hidden}
    answer = client.post(to, data={**form, **fields})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix("/ui")
