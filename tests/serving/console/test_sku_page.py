"""The page of one SKU: what it must say, what it must never say, and hostile text on it."""

from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from serving.console.house import House
from serving.console.sku_peers import peers_of
from serving.console.sku_reasons import reasons_of
from serving.console.wording import frequency
from serving.published import Published, published_now
from tests.serving.browser.shop import QUOTED_SKU
from tests.serving.conftest import Scored
from tests.serving.console.conftest import signed_into, soup_of

NEVER_SAID = ("shap", "log-odds", "log odds", "unsafe", "logit")


@pytest.fixture(scope="module")
def published(scored: Scored) -> Published:
    """The small catalogue in service."""
    return published_now(scored.workspace)


@pytest.fixture
def seen(signed: object) -> TestClient:
    """A browser in which an analyst is signed in, who is never asked for an estimate first."""
    return signed("analyst")  # type: ignore[operator, no-any-return]


def test_every_part_of_the_page_is_there_in_its_order(seen: TestClient) -> None:
    soup = soup_of(seen, "/ui/sku/DE/K-1")
    text = soup.get_text(" ", strip=True)
    parts = ("similar SKUs failed when tested", "Known for certain", "Why the score is", "What buyers wrote",
             "Have we seen this before?", "What would change this", "What the model does not know", "Decide",
             "History")  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "How sure" in text


def test_the_page_never_names_the_mathematics_nor_calls_a_product_unsafe(seen: TestClient) -> None:
    for number in range(0, 100, 9):
        answer = seen.get(f"/ui/sku/DE/K-{number}")
        assert answer.status_code == 200
        assert not [word for word in NEVER_SAID if word in answer.text.lower()]


def test_at_most_four_reasons_raise_and_two_lower_and_all_contributions_are_counted(published: Published) -> None:
    names = published.snapshot.feature_names
    for position in range(0, len(published.snapshot), 23):
        told = reasons_of(published, position, published.snapshot.category(position))
        assert len(told.raising) <= 4
        assert len(told.lowering) <= 2
        assert all(each.reason.points >= 0 for each in told.raising)
        assert all(each.reason.points <= 0 for each in told.lowering)
        matrix = published.snapshot.matrix_at(np.array([position]))
        active = int((published.assessor.whole(matrix).contributions[0] != 0).sum())
        assert len(told.raising) + len(told.lowering) + told.rest_count == active <= len(names)
        for each in (*told.raising, *told.lowering):
            assert each.spread is None or (0 <= each.spread.at <= 1 and 0 <= each.spread.below <= 1)


def test_peers_are_other_skus_of_the_category_with_an_independent_result(published: Published) -> None:
    position = 12
    category = published.snapshot.category(position)
    peers = peers_of(published, position, category)
    assert 0 < len(peers) <= 5
    for peer in peers:
        assert peer.entry.category == category
        assert peer.entry.position != position
        assert peer.test.independent
        assert peer.test.result in ("pass", "fail")


def test_an_unknown_sku_is_refused_in_a_sentence_that_is_no_markup(seen: TestClient) -> None:
    hostile = "<script>alert(1)</script>"
    answer = seen.get(f"/ui/sku/DE/{quote(hostile, safe='')}")
    assert answer.status_code == 400
    assert "has no SKU" in answer.text
    assert hostile not in answer.text


@given(p_fail=st.floats(0, 1))
def test_a_frequency_is_near_the_probability(p_fail: float) -> None:
    said = frequency(p_fail)
    if said.startswith("about"):
        count, of = (int(word) for word in said.split() if word.isdigit())
        assert abs(count / of - p_fail) <= max(0.026, 0.35 * p_fail)


def test_the_quotes_are_counted_among_all_reviews(shop: House) -> None:
    """Three reviews of the quoted SKU, two of which tell of harm; none is counted that is not quoted or a copy."""
    page = soup_of(signed_into(shop, "analyst"), f"/ui/sku/EU/{QUOTED_SKU}")
    section = page.select("#quotes")[0]
    assert "2 of 3 reviews in two years speak of a hazard." in section.get_text(" ", strip=True)
    assert len(section.select("mark")) == 2
