"""The page of one SKU: what it must say, what it must never say, and hostile text on it."""

import math
import re
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from features.registry import BY_NAME
from models.interactions import InteractionPolicy
from serving.console.blinding import BlindedScores, blind_scores
from serving.console.context import AppContext
from serving.console.pages.sku_evidence import MOST_SIBLINGS, peers_of, reasons_of, siblings_of
from serving.console.pages.sku_history import RATE, score_change, timeline_of, usual_returns
from serving.console.session import Person
from serving.dossiers.records import Dossier, Month
from serving.html.filters import frequency
from serving.online import store as online_store
from serving.online.store import OnlineStore, open_online_store
from tests.serving.browser.shop import DAY, QUOTED_SKU, scored_shop
from tests.serving.conftest import Scored
from tests.serving.console.conftest import Clients, signed_into, soup_of
from tests.serving.decisions.test_legal_grounds import LISTING

NEVER_SAID = ("shap", "log-odds", "log odds", "unsafe", "logit")


@pytest.fixture(scope="module")
def store(scored: Scored) -> OnlineStore:
    """The small catalogue in service."""
    return open_online_store(scored.workspace)


@pytest.fixture
def seen(signed: object) -> TestClient:
    """A browser in which an analyst is signed in, who is never asked for an estimate first."""
    return signed("analyst")  # type: ignore[operator, no-any-return]


def test_every_part_of_the_page_is_there_in_its_order(signed: Clients) -> None:
    soup = soup_of(signed("scheduler"), "/ui/sku/DE/K-1")
    text = soup.get_text(" ", strip=True)
    parts = ("Possible now: order test", "products like this one would fail a test",
             "Known for certain", "Why the score is", "What buyers wrote", "Have we seen this before?",
             "What would change this", "What the model does not know", "8 · Decide", "9 · History")  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "How sure" in text


def test_roles_see_only_what_they_may_do(seen: TestClient, signed: Clients) -> None:
    """An analyst reads; a scheduler is offered the test, and nothing that only an officer decides."""
    read = soup_of(seen, "/ui/sku/DE/K-1")
    assert "you can read this case, and an officer decides on it" in read.text
    assert not read.select("form.decide, .case-bar a")
    offered = soup_of(signed("scheduler"), "/ui/sku/DE/K-1")
    assert [str(each["value"]) for each in offered.select("input[name=disposition]")] == ["order_test"]
    assert [str(each["data-of"]) for each in offered.select("optgroup")] == ["order_test"]


def test_the_page_never_names_the_mathematics_nor_calls_a_product_unsafe(seen: TestClient) -> None:
    for number in range(0, 100, 9):
        answer = seen.get(f"/ui/sku/DE/K-{number}")
        assert answer.status_code == 200
        assert not [word for word in NEVER_SAID if word in answer.text.lower()]


def test_at_most_four_reasons_raise_and_two_lower_and_all_contributions_are_counted(store: OnlineStore) -> None:
    names = store.snapshot.feature_names
    for position in range(0, len(store.snapshot), 23):
        reasons = reasons_of(store, position, store.snapshot.category(position))
        assert len(reasons.raising) <= 4
        assert len(reasons.lowering) <= 2
        assert all(each.reason.points >= 0 for each in reasons.raising)
        assert all(each.reason.points <= 0 for each in reasons.lowering)
        matrix = store.snapshot.matrix_at(np.array([position]))
        active = int((store.scorer.score(matrix).contributions[0] != 0).sum())
        assert len(reasons.raising) + len(reasons.lowering) + reasons.rest_count <= active <= len(names)
        told = [BY_NAME[each.reason.feature] for each in (*reasons.raising, *reasons.lowering)]
        about = [(feature.about, feature.entity) for feature in told if feature.about]
        assert len(about) == len(set(about))
        for each in (*reasons.raising, *reasons.lowering):
            assert each.distribution is None or (0 <= each.distribution.at <= 1 and 0 <= each.distribution.below <= 1)


def test_two_facts_are_told_together_where_policy_asks_for_no_more(
    store: OnlineStore, seen: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The heading stands there with a sentence for each pair, and not without one."""
    for least_points in (0.001, 50.0):
        policy = InteractionPolicy.model_construct(least_points=least_points, most=2)
        monkeypatch.setattr(online_store, "interaction_policy_in_force", lambda _, policy=policy: policy)
        position = int(store.snapshot.find(["K-1"], ["DE"])[0])
        told = [pair.sentence for pair in reasons_of(store, position, store.snapshot.category(position)).together]
        page = soup_of(seen, "/ui/sku/DE/K-1")
        assert [each.get_text() for each in page.select(".together li")] == told
        assert ("What two facts do together" in page.get_text()) == bool(told) == (least_points < 1)


def test_peers_are_other_skus_of_the_category_with_an_independent_result(store: OnlineStore) -> None:
    position = 12
    category = store.snapshot.category(position)
    peers = peers_of(store, position, category)
    assert 0 < len(peers) <= 5
    for peer in peers:
        assert peer.entry.category == category
        assert peer.entry.position != position
        assert peer.test.independent
        assert peer.test.result in ("pass", "fail")


def test_an_unknown_sku_is_refused_in_a_sentence_that_is_no_markup(seen: TestClient) -> None:
    hostile = "<script>alert(1)</script>"
    answer = seen.get(f"/ui/sku/DE/{quote(hostile, safe='')}")
    assert answer.status_code == 404
    assert "has no SKU" in answer.text
    assert hostile not in answer.text


@given(p_fail=st.floats(0, 1))
def test_a_frequency_is_near_the_probability(p_fail: float) -> None:
    said = frequency(p_fail)
    if said.startswith("about"):
        *counts, of = (int(word) for word in said.split() if word.isdigit())
        assert abs(sum(counts) / len(counts) / of - p_fail) <= max(0.026, 0.35 * p_fail)


@pytest.mark.parametrize(
    ("p_fail", "words"),
    [(0.85, "about 8 or 9 in 10"), (0.75, "about 3 in 4"), (0.9, "about 9 in 10"), (0.97, "more than 9 in 10"),
     (0.15, "about 1 or 2 in 10"), (0.25, "about 1 in 4"), (0.001, "fewer than 1 in 200")],
)  # fmt: skip
def test_a_frequency_is_said_in_small_numbers(p_fail: float, words: str) -> None:
    assert frequency(p_fail) == words


def test_the_quotes_are_counted_among_all_reviews(shop: AppContext) -> None:
    """Three reviews of the quoted SKU, two of which tell of harm; none is counted that is not quoted or a copy."""
    page = soup_of(signed_into(shop, "analyst"), f"/ui/sku/EU/{QUOTED_SKU}")
    section = page.select("#quotes")[0]
    assert "2 of 3 reviews in two years report a hazard." in section.get_text(" ", strip=True)
    assert len(section.select("mark")) == 2


def test_alerts_stand_among_the_facts_as_evidence_to_check(shop: AppContext) -> None:
    """How each matches is said, an address only where it is one of the web; no alert is a fact to decide on."""
    page = soup_of(signed_into(shop, "analyst"), "/ui/sku/EU/K-3")
    facts = page.select("#tests")[0]
    text = facts.get_text(" ", strip=True)
    assert "EU Safety Gate" in text
    assert "same brand, 4 of 4 words of its title" in text
    assert "An alert is evidence, not proof: check whether it is about this product." in text
    assert [link["href"] for link in facts.select("a[rel]")] == ["https://example.org/recall"]
    hostile = soup_of(signed_into(shop, "analyst"), "/ui/sku/EU/K-0").select("#tests")[0]
    assert "the marketplace found it to be this product" in hostile.get_text(" ", strip=True)
    assert not [link for link in hostile.select("a") if str(link["href"]).startswith("javascript:")]
    other = soup_of(signed_into(shop, "analyst"), "/ui/sku/EU/K-2").select("#tests")[0]
    assert "An alert is evidence" not in other.text


def test_the_page_lists_the_factorys_other_skus_the_riskiest_first(shop: AppContext) -> None:
    """No more than a few of them, with how many there are; none of another factory, and not the SKU itself."""
    page = soup_of(signed_into(shop, "analyst"), "/ui/sku/EU/K-1")
    section = page.select("#factory")[0]
    links = [str(link["href"]).rpartition("-")[2] for link in section.select("tbody a")]
    assert len(links) == MOST_SIBLINGS
    assert all(int(number) % 5 == 1 for number in links)
    assert "1" not in links
    assert "riskiest of 15 other SKUs of factory F-1" in section.text
    queue = open_online_store(shop.settings.workspace).queue
    ranks = {entry.sku_id: entry.rank for entry in queue.entries(np.arange(len(queue)))}
    listed = [ranks[f"K-{number}"] for number in links]
    assert listed == sorted(listed)
    assert listed == sorted(rank for sku_id, rank in ranks.items() if int(sku_id[2:]) % 5 == 1 and sku_id != "K-1")[:8]


def test_a_sibling_drawn_for_an_own_estimate_comes_last_without_its_score(shop: AppContext) -> None:
    store = open_online_store(shop.settings.workspace)
    blinding = blind_scores(shop, store, Person("Olga", "officer", "k-officer"))
    assert blinding.hidden is not None
    for number in range(5):
        position = int(store.snapshot.find([f"K-{number}"], ["EU"])[0])
        siblings = siblings_of(store, position, f"F-{number % 5}", blinding)
        shown = [entry.position in siblings.hidden for entry in siblings.shown]
        assert shown == sorted(shown)
        for entry in siblings.shown:
            assert (entry.band == "") == np.isnan(entry.p_fail) == (entry.position in siblings.hidden)


def test_no_factory_no_siblings(store: OnlineStore) -> None:
    assert siblings_of(store, 0, None, BlindedScores(None, np.empty(0, np.int64))).count == 0


def test_the_change_since_the_scoring_before_is_that_of_both_scores(tmp_path: Path) -> None:
    """Scored by one model before and after its suppliers' tests were known; some SKUs were not listed before."""
    first = DAY - timedelta(days=75)
    workspace = scored_shop(tmp_path / "workspace", (first, DAY))
    store = open_online_store(workspace)
    listed = pq.read_table(workspace.scores(first)).to_pylist()
    before = {(row["sku_id"], row["market"]): row["p_fail"] for row in listed}
    moved = 0
    for position, key in enumerate(store.snapshot.keys(0, len(store.snapshot)).to_pylist()):
        change, now = score_change(store, workspace, position), float(store.p_fail[position])
        assert (change is None) == ((key["sku_id"], key["market"]) not in before)
        if change is not None:
            assert (change.since, change.by_model) == (first, None)
            assert change.p_fail == before[key["sku_id"], key["market"]]
            assert change.groups or abs(now - change.p_fail) < 0.02
            assert len(change.groups) != 1 or (change.groups[0].points > 0) == (now > change.p_fail)
            moved += bool(change.groups)
    assert moved


def test_the_page_says_the_change(shop: AppContext) -> None:
    """Of a score that changed; others stay as they were."""
    officer = signed_into(shop, "analyst")
    pages = [soup_of(officer, f"/ui/sku/EU/K-{number}").select(".sure")[0] for number in range(12)]
    texts = [page.get_text(" ", strip=True) for page in pages]
    changed = r"Since the scoring of 7 May 2026 From \d+ % to \d+ %. What moved it, in points: "
    assert any(re.search(changed, text) for text in texts)


def test_steps_together_are_told_beside_several_alone(shop: AppContext) -> None:
    """No page says `all of these` of one step, or of none."""
    officer, steps_by_page = signed_into(shop, "analyst"), []
    for number in range(0, 80, 3):
        rows = soup_of(officer, f"/ui/sku/EU/K-{number}").select("section[aria-labelledby=h-change] tbody th")
        steps_by_page.append([row.text for row in rows])
    assert any(steps_by_page)
    assert all(len(steps) > 2 for steps in steps_by_page if "All of these together." in steps)


def test_without_a_scoring_before_there_is_no_change(store: OnlineStore, scored: Scored) -> None:
    assert score_change(store, scored.workspace, 0) is None


@given(units=st.lists(st.integers(0, 400), min_size=24, max_size=24), low=st.floats(0, 0.5), more=st.floats(0, 0.5))
def test_the_band_of_usual_returns_grows_with_sales_and_stays_below_them(
    units: list[int], low: float, more: float
) -> None:
    months = tuple(Month(date(2024 + n // 12, n % 12 + 1, 1), sold, 0, 0, 0, 0) for n, sold in enumerate(units))
    bars = timeline_of(Dossier(date(2026, 1, 1), LISTING, (), (), (), (), (), (), months, ()), (low, low + more)).bars
    for bar in bars:
        assert bar.usual is not None
        assert 0 <= bar.usual[0] <= bar.usual[1] <= bar.sold
    rising = sorted(bars, key=lambda bar: bar.month.units)
    assert [bar.usual for bar in rising] == sorted(bar.usual for bar in rising if bar.usual)


def test_usual_returns_are_the_middle_half_of_the_category(shop: AppContext) -> None:
    store = open_online_store(shop.settings.workspace)
    usual = usual_returns(store, "mains_chargers")
    rates = store.snapshot.feature(RATE)
    own = [rate for at, rate in enumerate(rates) if store.snapshot.category(at) == "mains_chargers"]
    assert usual is not None
    fourth = math.ceil((len(own) - 1) / 4)
    assert sum(rate < 1000 * usual[0] for rate in own) <= fourth
    assert sum(rate > 1000 * usual[1] for rate in own) <= fourth
    assert usual_returns(store, "no such category") is None
