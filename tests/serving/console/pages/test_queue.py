"""The queue as people see it."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from starlette.testclient import TestClient

from data.database.connection import open_database
from data.visible_text import escape_formula, show_invisible
from serving.console.pages.queue import QueueFilter, read_filter
from tests.serving.conftest import Scored
from tests.serving.console.conftest import Clients, context_of, csrf_of, mounted, soup_of


def skus(client: TestClient, query: str) -> list[str]:
    """The SKUs listed at an address of the queue."""
    links = soup_of(client, f"/ui/?{query}").select("table.queue th.product > a")
    return [str(link["href"]).removeprefix("/ui/sku/") for link in links]


def test_the_whole_catalogue_is_listed_once_over_its_pages(officer: TestClient) -> None:
    listed = [sku for number in range(1, 5) for sku in skus(officer, f"view=all&page={number}")]
    assert len(listed) == len(set(listed)) == 200
    assert skus(officer, "view=all&page=99") == skus(officer, "view=all&page=4")


def test_the_address_filters_searches_and_sorts(officer: TestClient) -> None:
    assert all(sku.startswith("DE/") for sku in skus(officer, "view=all&market=DE"))
    assert set(skus(officer, "view=all&q=k-17")) == {"DE/K-17", "FR/K-17"}
    assert skus(officer, "view=all&sort=sku")[:2] == ["DE/K-0", "FR/K-0"]
    assert skus(officer, "view=all&q=there+is+none") == []


def test_the_highest_risk_level_comes_first_and_then_the_riskiest(officer: TestClient) -> None:
    """Where no order is chosen; SKUs whose level is not known, or hidden, come last."""
    text = officer.get("/ui/queue.csv?view=all").text.removeprefix("\ufeff")
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["rank"]]
    levels = ["serious", "high", "medium", "low", ""]
    places = [(levels.index(row["risk_level"]), int(row["rank"])) for row in rows]
    assert places == sorted(places)
    assert len({row["risk_level"] for row in rows}) > 2
    riskiest = csv.DictReader(io.StringIO(officer.get("/ui/queue.csv?view=all&sort=risk").text.removeprefix("\ufeff")))
    ranks = [int(row["rank"]) for row in riskiest if row["rank"]]
    assert ranks == sorted(ranks)


def test_nobody_owns_a_case_before_it_is_given(scored: Scored, tmp_path: Path) -> None:
    """In a state in which nothing was decided yet."""
    engine = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    with TestClient(mounted(context_of(scored.workspace.home, engine, insecure=True))) as client:
        for view in ("mine", "new", "random", "disagree"):
            assert skus(client, f"view={view}") == []
    engine.dispose()


def test_every_line_says_in_words_what_it_shows_in_pictures(officer: TestClient) -> None:
    row = soup_of(officer, "/ui/?view=all").select("table.queue tbody tr")[0]
    assert row.select_one("svg.whisker")["aria-label"].count("%") == 3  # type: ignore[index]
    assert row.select_one(".band").get_text(strip=True) in ("low", "moderate", "high", "very high")  # type: ignore[union-attr]
    assert row.select_one("input")["aria-label"].startswith("Choose K-")  # type: ignore[index, union-attr]


def test_the_export_holds_the_filter_with_versions_and_day(officer: TestClient) -> None:
    answer = officer.get("/ui/queue.csv?view=all&market=DE")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert len(rows) == 100
    assert {row["market"] for row in rows} == {"DE"}
    assert {row["as_of"] for row in rows} == {"2026-01-10"}
    assert all(row["model_version"].startswith("m-") for row in rows)


@given(text=st.text(max_size=20))
def test_no_cell_of_an_export_begins_like_a_formula(text: str) -> None:
    assert not str(escape_formula(text)).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert str(escape_formula(text)).endswith(str(show_invisible(text)))


@given(query=st.dictionaries(st.sampled_from(["view", "q", "band", "market", "sort", "page", "evidence"]), st.text()))
def test_an_address_that_was_read_reads_the_same_again(query: dict[str, str]) -> None:
    query_filter = read_filter(QueryParams(query))
    assert read_filter(QueryParams(query_filter.query)) == query_filter
    assert isinstance(query_filter, QueueFilter)


def test_tests_are_ordered_for_several_skus_with_cost_and_reason(signed: Clients) -> None:
    scheduler = signed("scheduler")
    chosen = skus(scheduler, "view=all")[:3]
    form = {"csrf": csrf_of(scheduler, "/ui/"), "sku": chosen}
    answer = scheduler.post("/ui/queue/order", data=form)
    assert "Order 3 tests" in answer.text
    assert "EUR" in answer.text
    refused = scheduler.post("/ui/queue/ordered", data={**form, "code": "score_high", "explanation": "short"})
    assert "say why in at least" in refused.text
    sent = {**form, "code": "score_high", "explanation": "The riskiest of the week.", "form_token": "t-1"}
    done = scheduler.post("/ui/queue/ordered", data=sent)
    assert "tests ordered" in done.text
    assert done.text.count("recorded as") + done.text.count("not ordered:") == 3


@pytest.mark.parametrize("role", ["analyst"])
def test_who_may_not_order_is_told_so(signed: Clients, role: str) -> None:
    client = signed(role)
    answer = client.post("/ui/queue/order", data={"csrf": csrf_of(client, "/ui/"), "sku": ["DE/K-1"]})
    assert answer.status_code == 403
    assert f"your key has the role {role}" in answer.text
