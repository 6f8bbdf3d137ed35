"""A list with a promise in the console: what it says, who may not see what of it, and the tests ordered from it."""

import csv
import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from data.database.connection import open_database
from data.workspace import Workspace
from serving.console.context import AppContext
from tests.sampling.answered_rounds import REPORTED_AFTER, AnsweredRound, answered_round
from tests.serving.browser.shop import DAY, DRAWN_SKU
from tests.serving.console.conftest import SHOP_NOW, context_of, signed_into, soup_of

ROUND_DAY = DAY - REPORTED_AFTER - timedelta(days=1)


@pytest.fixture(scope="module")
def answered(shop_home: Path, tmp_path_factory: pytest.TempPathFactory) -> AnsweredRound:
    """The marketplace with a round whose results are in; of its SKUs the first 80 are in the catalogue."""
    home = tmp_path_factory.mktemp("lists") / "workspace"
    shutil.copytree(shop_home, home)
    return answered_round(Workspace(home), ROUND_DAY, "K-{}", "EU", "toys_3_plus")


@pytest.fixture
def listing(answered: AnsweredRound, tmp_path: Path) -> Iterator[AppContext]:
    """An application context for it, without any decision."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    yield replace(context_of(answered.workspace.home, engine), now=lambda: SHOP_NOW)
    engine.dispose()


def exported(client: TestClient, query: str = "") -> list[dict[str, str]]:
    """The rows of the export."""
    answer = client.get(f"/ui/lists.csv?{query}")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def shown(client: TestClient, query: str = "") -> list[str]:
    """The SKUs of all pages of the list."""
    names: list[str] = []
    address: str | None = f"/ui/lists?{query}"
    while address:
        soup = soup_of(client, address)
        names += [each.get_text() for each in soup.select("tbody th .under")]
        following = soup.select_one(".pager a[rel=next]")
        address = str(following["href"]) if following else None
    return names


@pytest.mark.parametrize(("goal", "verb"), [("fails", "pass"), ("passes", "fail")])
def test_every_page_together_is_the_export_and_few_of_it_are_wrong(
    listing: AppContext, answered: AnsweredRound, goal: str, verb: str
) -> None:
    """The promise counts them; each row of the export says what it rests on."""
    client = signed_into(listing, "analyst")
    rows = exported(client, f"goal={goal}")
    names = [row["sku_id"] for row in rows]
    assert shown(client, f"goal={goal}") == names
    assert sum(answered.fails[name] != (goal == "fails") for name in names) <= 0.2 * len(names)
    heading = soup_of(client, f"/ui/lists?goal={goal}").select_one("#promise-heading")
    assert heading is not None
    assert heading.text.startswith(f"Of these {len(names):,} SKUs at most 10 % would {verb} the test, on average")
    assert {row["round_id"] for row in rows} == {answered.plan.summary.round_id}
    assert not soup_of(client, f"/ui/lists?goal={goal}").select("main button:-soup-contains(Order)")


def test_a_list_of_one_market_and_category_holds_nothing_else(listing: AppContext) -> None:
    rows = exported(signed_into(listing, "officer"), "percent=20%25&category=toys_3_plus&market=EU")
    assert rows
    assert {(row["category"], row["market"], row["false_share"]) for row in rows} == {("toys_3_plus", "EU", "0.2")}


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("percent=0.0001&goal=passes", 200, "carry no list with at most"),
        ("percent=much", 400, "'much' is no share of a list. Type the percentage"),
        ("percent=100", 400, "between 0 and 100"),
        ("percent=nan", 400, "between 0 and 100"),
        ("market=XX", 200, "has no SKU of XX"),
    ],
)
def test_what_carries_no_list_is_said_beside_the_form(
    listing: AppContext, query: str, status: int, sentence: str
) -> None:
    answer = signed_into(listing, "officer").get(f"/ui/lists?{query}")
    refusal = BeautifulSoup(answer.text, "html.parser").select_one(".refusal")
    assert answer.status_code == status
    assert refusal is not None
    assert sentence in refusal.text


def test_a_case_that_awaits_the_persons_own_estimate_is_not_on_their_list(listing: AppContext) -> None:
    """Being listed would tell its score; how many are left out is said."""
    analyst, officer = signed_into(listing, "analyst"), signed_into(listing, "officer")
    every, theirs = exported(analyst, "goal=passes"), exported(officer, "goal=passes")
    left_out = {row["sku_id"] for row in every} - {row["sku_id"] for row in theirs}
    assert DRAWN_SKU in left_out
    assert left_out.isdisjoint(shown(officer, "goal=passes"))
    page = soup_of(officer, "/ui/lists?goal=passes").get_text(" ", strip=True)
    assert f"{len(left_out)} of the SKUs {'is' if len(left_out) == 1 else 'are'} not shown to you" in page


def test_tests_are_ordered_from_the_list_each_with_its_own_record(listing: AppContext) -> None:
    """All at once with the promise as the explanation; what is not in the catalogue any more is named."""
    scheduler = signed_into(listing, "scheduler")
    page = soup_of(scheduler, "/ui/lists?percent=10")
    ticked = [str(each["value"]) for each in page.select("input[name=sku][checked]")]
    assert ticked
    gone = next(row.get_text() for row in page.select("tbody tr:-soup-contains('no longer') th .under"))
    hidden = {str(each["name"]): str(each["value"]) for each in page.select("main form input[type=hidden]")}
    form = {**hidden, "sku": [*ticked, f"EU/{gone}"]}
    review = BeautifulSoup(scheduler.post("/ui/queue/order", data=form).text, "html.parser")
    explanation = review.select_one("#explanation")
    assert explanation is not None
    assert explanation.text.startswith("Of these ")
    assert f"the catalogue no longer has it: {gone} in EU" in review.get_text(" ", strip=True)
    form |= {"code": "score_high", "explanation": explanation.text, "form_token": "t-list"}
    ordered = scheduler.post("/ui/queue/ordered", data=form).text
    assert f"{len(ticked)} of {len(ticked)} tests ordered" in ordered
    assert gone in ordered
    again = scheduler.post("/ui/queue/ordered", data={**form, "form_token": "t-again"}).text
    assert f"0 of {len(ticked)} tests ordered" in again
    assert "not ordered:" in again
    assert not soup_of(scheduler, "/ui/lists?percent=10").select("input[name=sku][checked]")
