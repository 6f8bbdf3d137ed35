"""A case drawn for an own estimate keeps its score to itself until the officer has said what they expect."""

import csv
import io
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup, Tag
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from data.settings import Settings
from data.workspace import Workspace
from serving.console.blinding import blind_scores, case_in, flagged_bands
from serving.console.context import AppContext
from serving.console.pages.plan import SCORE_COLUMNS
from serving.console.pages.queue import EVIDENCE, SORT_LABELS, VIEWS
from serving.console.session import Person
from serving.decisions.blind_assessment import draw_for_estimate, draw_probability
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import SkuKey
from serving.online.hot_reload import HotReloader
from serving.online.store import OnlineStore, open_online_store
from serving.review_queue.reader import QueueEntry
from tests.serving.browser.shop import DRAWN_SKU
from tests.serving.console.conftest import SHOP_NOW, KeyHolder, csrf_of, signed_into, soup_of

POLICY = decision_policy_in_force(SHOP_NOW.date())
BANDS = ("low", "moderate", "high", "very high")


@pytest.fixture
def store(shop: AppContext) -> OnlineStore:
    """The marketplace in service."""
    return open_online_store(shop.settings.workspace)


@pytest.fixture
def drawn(store: OnlineStore) -> list[QueueEntry]:
    """The cases that were drawn, with all that the queue says of them."""
    return store.queue.entries(np.flatnonzero(store.queue.column("drawn")))


def lines(client: TestClient, query: str) -> dict[str, Tag]:
    """The lines of an address by SKU."""
    rows = soup_of(client, f"/ui/?{query}").select("table.queue tbody tr")
    return {str(row.select("th.product > a")[0]["href"]).rpartition("/")[2]: row for row in rows}


def exported(client: TestClient, query: str) -> dict[str, dict[str, str]]:
    """The rows of an export by SKU."""
    text = client.get(f"/ui/queue.csv?{query}").text.removeprefix("\ufeff")
    return {row["sku_id"]: row for row in csv.DictReader(io.StringIO(text))}


def queries() -> list[str]:
    """Every view in every order, every band, every kind of evidence, and a search for each case."""
    addresses = [f"view={view}&sort={sort}" for view, sort in product(VIEWS, SORT_LABELS)]
    addresses += [f"view={view}&band={band}" for view, band in product(("all", "flagged"), BANDS)]
    addresses += [f"view=all&evidence={kind}" for kind in EVIDENCE]
    return [*addresses, f"q={DRAWN_SKU}", f"view=all&q={DRAWN_SKU}"]


def give_estimate(client: TestClient, sku_id: str) -> None:
    """Say what is expected of a case."""
    csrf = csrf_of(client, "/ui/")
    sent = {"csrf": csrf, "market": "EU", "sku_id": sku_id, "percent": "30"}
    assert client.post("/ui/estimate", data=sent).status_code == 303


def test_no_list_and_no_export_tells_the_score_of_a_blinded_case(shop: AppContext, drawn: list[QueueEntry]) -> None:
    officer = signed_into(shop, "officer")
    names = {entry.sku_id for entry in drawn}
    assert DRAWN_SKU in names
    seen = 0
    for query in queries():
        shown, exports = lines(officer, query), exported(officer, query)
        for sku_id in names & set(shown):
            text = shown[sku_id].get_text(" ", strip=True)
            assert "your estimate first" in text, query
            assert not shown[sku_id].select(".band, .whisker, .p, input, .reason[title]"), query
            assert "%" not in text, query
            row = exports[sku_id]
            of_score = ("rank", "band", "p_fail", "p_low", "p_high", "main_reason")
            assert [row[name] for name in of_score] == [""] * 6, query
            assert row["own_estimate_first"] == "yes"
            seen += 1
        assert names.isdisjoint(shown) or ("band=" not in query and "view=new" not in query), query
    assert seen > len(SORT_LABELS)


def test_where_the_score_sorts_blinded_cases_come_last_by_name(shop: AppContext, drawn: list[QueueEntry]) -> None:
    names = [entry.sku_id for entry in sorted(drawn, key=lambda each: each.position)]
    for sort in ("risk", "harm"):
        last_page = lines(signed_into(shop, "officer"), f"view=all&sort={sort}&page=2")
        assert list(last_page)[-len(names) :] == names


def test_no_page_of_a_blinded_case_tells_its_score(shop: AppContext, drawn: list[QueueEntry]) -> None:
    """Its own page leads to the estimate, an order of its test is not offered, and the form shows facts alone."""
    officer = signed_into(shop, "officer")
    csrf = csrf_of(officer, "/ui/")
    for entry in drawn:
        key = f"{entry.market}/{entry.sku_id}"
        assert officer.get(f"/ui/sku/{key}").status_code == 303
        assert f"{100 * entry.p_fail:.0f} %" not in soup_of(officer, f"/ui/decide?market=EU&sku_id={entry.sku_id}").text
        alone = officer.post("/ui/queue/order", data={"csrf": csrf, "sku": [key]})
        assert alone.status_code == 400
        assert "drawn for your own estimate" in alone.text
        for path in ("/ui/queue/order", "/ui/queue/ordered"):
            sent = {"csrf": csrf, "sku": [key, "EU/K-1"], "code": "score_high", "explanation": "Both look alike."}
            answer = officer.post(path, data={**sent, "form_token": f"t-{entry.sku_id}"})
            assert answer.status_code == 200
            listed = [row.text for row in BeautifulSoup(answer.text, "html.parser").select("tbody tr")]
            assert len(listed) == 1
            assert entry.sku_id not in listed[0].split()


@pytest.fixture
def planned(shop: AppContext, tmp_path: Path) -> AppContext:
    """A copy of the marketplace that may be planned in."""
    shutil.copytree(shop.settings.workspace.home, tmp_path / "planned")
    return replace(shop, settings=Settings(Workspace(tmp_path / "planned"), None),
                   reloader=HotReloader(Workspace(tmp_path / "planned")))  # fmt: skip


def plan_lines(client: TestClient, path: str) -> list[Tag]:
    """The lines of tests on a page of a plan or a round."""
    return soup_of(client, path).select("section[aria-labelledby=tests-heading] tbody tr")


def test_plan_round_and_export_tell_nothing_of_a_blinded_case(planned: AppContext, drawn: list[QueueEntry]) -> None:
    """Neither its score nor what follows from it; after the estimate, and to a scheduler, they do."""
    scheduler, officer = signed_into(planned, "scheduler"), signed_into(planned, "officer")
    names = {entry.sku_id for entry in drawn}

    def hides(path: str) -> bool:
        seen, unblinded = plan_lines(officer, path), plan_lines(scheduler, path)
        hidden = [row for row in seen if row.th is not None and row.th.text in names]
        assert seen[len(seen) - len(hidden) :] == hidden
        assert all("your estimate first" in row.text and "%" not in row.text for row in hidden)
        assert not [row for row in unblinded if "estimate first" in row.text]
        return bool(hidden)

    assert hides("/ui/plan?budget_eur=20000")
    form = {"csrf": csrf_of(scheduler, "/ui/plan"), "budget_eur": "20000"}
    where = scheduler.post("/ui/plan", data=form).headers["location"]
    assert hides(where)
    kept = list(csv.DictReader(io.StringIO(officer.get(f"{where}/plan.csv").text.removeprefix("\ufeff"))))
    for row in kept:
        values = [row[name] for name in SCORE_COLUMNS]
        assert (values == [""] * len(SCORE_COLUMNS)) == (row["sku_id"] in names)
    first = next(row["sku_id"] for row in kept if row["sku_id"] in names)
    give_estimate(officer, first)
    [line] = [row for row in plan_lines(officer, where) if row.th is not None and row.th.text == first]
    assert "% predicted" in line.text


def test_ledger_and_decisions_tell_nothing_of_a_blinded_case(shop: AppContext, drawn: list[QueueEntry]) -> None:
    """What a scheduler decided on it is there; the score it was decided on is not, nor words that may tell of it."""
    scheduler, officer = signed_into(shop, "scheduler"), signed_into(shop, "officer")
    entry = next(each for each in drawn if each.sku_id == DRAWN_SKU)
    fields = {"csrf": csrf_of(scheduler, "/ui/"), "sku": f"EU/{DRAWN_SKU}"}
    sent = {**fields, "code": "score_high", "explanation": "It stands among the worst.", "form_token": "t-1"}
    assert "1 of 1 tests ordered" in scheduler.post("/ui/queue/ordered", data=sent).text
    [link] = soup_of(scheduler, "/ui/decisions").select("tbody th a")
    paths = (str(link["href"]), "/ui/decisions", f"/ui/ledger?subject={DRAWN_SKU}+EU", "/ui/ledger")
    score = (
        f"{100 * entry.p_fail:.0f} %",
        str(entry.p_fail),
        "p fail",
        "as it asks",
        "predicted failure rate",
        "among the worst",
    )
    for path in paths:
        text = soup_of(officer, path).get_text(" ", strip=True)
        assert "your estimate first" in text
        assert not [each for each in score if each in text], path
        assert any(each in soup_of(scheduler, path).get_text(" ", strip=True) for each in score)
    give_estimate(officer, DRAWN_SKU)
    for path in paths:
        assert "your estimate first" not in soup_of(officer, path).text


def test_the_ledger_can_be_read_before_anything_was_scored(shop: AppContext, tmp_path: Path) -> None:
    empty = replace(shop, reloader=HotReloader(Workspace(tmp_path / "empty")))
    assert soup_of(signed_into(empty, "officer"), "/ui/ledger").h1 is not None


def test_the_score_shows_to_whoever_gave_an_estimate_and_to_nobody_else(shop: AppContext) -> None:
    officer, second = signed_into(shop, "officer"), signed_into(shop, "admin")
    give_estimate(officer, DRAWN_SKU)
    assert lines(officer, f"view=all&q={DRAWN_SKU}")[DRAWN_SKU].select(".whisker")
    assert exported(officer, f"view=all&q={DRAWN_SKU}")[DRAWN_SKU]["p_fail"]
    assert not lines(second, f"view=all&q={DRAWN_SKU}")[DRAWN_SKU].select(".whisker")
    assert lines(signed_into(shop, "analyst"), f"view=all&q={DRAWN_SKU}")[DRAWN_SKU].select(".whisker")


def test_the_cases_to_estimate_are_all_flagged_ones_and_as_many_others(
    shop: AppContext, store: OnlineStore, drawn: list[QueueEntry]
) -> None:
    officer = signed_into(shop, "officer")
    flagged = {entry.sku_id for entry in drawn if entry.band in flagged_bands(store)}
    listed = list(lines(officer, "view=estimate"))
    others = len(drawn) - len(flagged)
    assert flagged <= set(listed) <= {entry.sku_id for entry in drawn}
    assert len(listed) == len(flagged) + min(len(flagged), others)
    assert listed == sorted(listed)
    give_estimate(officer, DRAWN_SKU)
    assert list(lines(officer, "view=estimate")) == [sku_id for sku_id in listed if sku_id != DRAWN_SKU]


def test_a_draw_of_another_policy_is_drawn_anew(shop: AppContext, store: OnlineStore) -> None:
    """The queue keeps the draw of the policy of its day; a later policy counts from the moment it is in force."""
    stored = store.queue.column("drawn").copy()
    store.queue.__dict__["_columns"] = {**store.queue.__dict__["_columns"], "drawn": ~stored}
    older = replace(store.queue.__dict__["_content"], draw_policy="2020-01-01-00000000")
    store.queue.__dict__["_content"] = older
    blinding = blind_scores(shop, store, Person("Olga", "officer", "k-officer"))
    assert blinding.hidden is not None
    assert blinding.hidden.tolist() == stored.tolist()


@given(flagged=st.integers(1, 10**7), others=st.integers(1, 10**7))
def test_few_cases_are_drawn_on_a_scoring_day_and_as_many_flagged_as_others(flagged: int, others: int) -> None:
    """However large the catalogue: the inclusion probabilities sum to no more than the policy's number."""
    terms = POLICY.own_estimate
    of_flagged, of_others = (size * draw_probability(size, POLICY) for size in (flagged, others))
    assert of_flagged + of_others <= terms.cases_per_day + 1e-9
    assert max(draw_probability(size, POLICY) for size in (flagged, others)) <= terms.share
    assert of_flagged == pytest.approx(min(terms.share * flagged, terms.cases_per_day / 2))


def test_the_queue_and_the_form_draw_the_same_cases(store: OnlineStore) -> None:
    """And the probability that is logged is the one it was drawn with."""
    drawn = store.queue.column("drawn")
    for entry in store.queue.entries(np.arange(len(store.queue))):
        case = case_in(store, SkuKey(entry.sku_id, entry.market), entry.band)
        assert draw_for_estimate(case, POLICY).drawn == bool(drawn[entry.rank - 1])


def test_whoever_settled_a_case_sees_its_score_and_its_letter_and_others_do_not(shop: AppContext) -> None:
    """A pause that one proposed after an estimate, and another approved; a third is still to give one."""
    admin, officer = signed_into(shop, "admin"), signed_into(shop, "officer")
    give_estimate(admin, DRAWN_SKU)
    page = soup_of(admin, f"/ui/decide?market=EU&sku_id={DRAWN_SKU}")
    hidden = {str(each["name"]): str(each["value"]) for each in page.select("form.decide input[type=hidden]")}
    pause = {"disposition": "pause", "code": "serious_hazard_reported", "explanation": "It may be hot."}
    where = admin.post("/ui/decide", data={**hidden, **pause}).headers["location"]
    sam = KeyHolder("k-third", "Theo", "officer")
    third_context = replace(shop, principal_of=lambda _: sam, principal_by_id=lambda _: sam)
    assert not lines(officer, f"view=all&q={DRAWN_SKU}")[DRAWN_SKU].select(".whisker")
    assert officer.post(f"{where}/approve", data={"csrf": csrf_of(officer, where)}).status_code == 303
    assert lines(officer, f"view=all&q={DRAWN_SKU}")[DRAWN_SKU].select(".whisker")
    third = signed_into(third_context, "officer")
    assert not lines(third, f"view=all&q={DRAWN_SKU}")[DRAWN_SKU].select(".whisker")
    letter = officer.get(f"{where}/statement").headers["location"]
    assert officer.get(letter).status_code == 200
    for path in (letter, f"{letter}/letter.txt", f"{where}/transparency.json"):
        hidden_from = third.get(path)
        assert hidden_from.status_code == 400
        assert "drawn for your own estimate" in hidden_from.text
