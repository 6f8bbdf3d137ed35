"""The sentences of a SKU's page: a prediction is called one, and the confidence knows the product itself."""

from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampling.policy import sampling_policy_in_force
from sampling.problem import Cell
from serving.console.pages.sku_sentences import (
    NextTest,
    open_actions_sentence,
    outcome_sentence,
    prediction,
    recommendation,
    risk_level_sentence,
    score_confidence,
)
from serving.decisions.legal_grounds import FAILED_TEST, ORDER, Ground
from serving.dossiers.records import Remediation
from serving.schemas import ScoreRow

DAY = date(2026, 7, 1)


def score(p_low: float = 0.3, p_high: float = 0.4) -> ScoreRow:
    """A score row with an interval."""
    return ScoreRow(
        sku_id="K-1", market="EU", as_of=DAY, margin=0.0, p_fail=(p_low + p_high) / 2, p_low=p_low, p_high=p_high,
        hazard="fire", hazard_share=0.62, risk_level="high", band="high",
        rank=1, reasons=None, model_version="m-1", feature_version="f-1", policy_version="p-1",
    )  # fmt: skip


def values(**known: float) -> Mapping[str, float]:
    """Features of a SKU whose category has many tests."""
    return {"category_tests_365": 41.0, **known}


def test_a_score_is_called_a_prediction() -> None:
    """Nothing of the kind has been counted."""
    assert prediction(0.9) == "We predict that about 9 in 10 products like this one would fail a test."


@pytest.mark.parametrize(
    ("action", "kinds", "words"),
    [
        ("priority_test", (), "Recommended: priority test."),
        ("request_documents", (), "Recommended: request documents."),
        ("none", (), "Recommended: no action."),
        ("test", (FAILED_TEST,), "A test has failed. Decide."),
        ("test", (ORDER,), "A fact stands on which a restriction may rest. Decide."),
    ],
)
def test_a_fact_comes_before_the_band(action: str, kinds: tuple[str, ...], words: str) -> None:
    """Where a fact stands, the officer decides; else the band recommends."""
    assert recommendation(action, [Ground(kind, DAY, "It stands.", "T-1") for kind in kinds]) == words
    assert recommendation(action, [Ground(kind, DAY, "It stands.", "T-1") for kind in kinds], is_restricted=True) == (
        "A restriction is in force."
    )


@pytest.mark.parametrize(
    ("known", "level", "why"),
    [
        ({"sku_tests": 1.0}, "well known", "1 test of its own, no units sold and no reviews in the last year."),
        ({"sku_units_365": 6.0, "sku_reviews_365": 1.0}, "little known of this product",
         "Of the product itself there is little: no test of its own, 6 units sold and 1 review in the last year."),
        ({"sku_units_365": 4_000.0}, "well known", "4,000 units sold"),
        ({"category_tests_365": 3.0, "sku_tests": 1.0}, "thin evidence", "3 independent tests of its category"),
        ({"category_tests_365": 0.0}, "unlike anything tested", "Neither its supplier, factory, title nor category"),
    ],
)  # fmt: skip
def test_how_sure_knows_how_little_is_known_of_the_product(known: dict[str, float], level: str, why: str) -> None:
    """A category that is well tested does not make its least known product well known."""
    confidence = score_confidence(score(), values(**known))
    assert confidence.name == level
    assert why in confidence.why


@given(tests=st.integers(0, 5), units=st.integers(0, 500), reviews=st.integers(0, 50))
def test_more_evidence_of_the_product_never_makes_it_less_known(tests: int, units: int, reviews: int) -> None:
    """A product with one more of its own tests is known at least as well."""
    order = ["unlike anything tested", "thin evidence", "little known of this product", "well known"]
    before, after = (
        score_confidence(score(), values(sku_tests=count, sku_units_365=units, sku_reviews_365=reviews)).name
        for count in (tests, tests + 1)
    )
    assert order.index(after) >= order.index(before)


def test_the_risk_level_is_said_with_its_policy_and_its_limits() -> None:
    """What would fail, how serious that is and by which policy; nothing where it is not known."""
    assert risk_level_sentence(score()) == (
        "If it fails, most likely: fire hazard (62 % of failures). Risk level high: severity and probability of harm "
        "in the manner of the EU's method (policy risk_levels 2026-01-01). It orders work and is no "
        "ground for a decision."
    )
    unknown = score().model_copy(update={"hazard": None, "hazard_share": None, "risk_level": None})
    assert risk_level_sentence(unknown) == ""


@pytest.mark.parametrize(
    ("if_passed", "words"),
    [
        (0.87, "If it passes, the prediction falls from 90 % to 87 %. If it fails, you may restrict the listing."),
        (0.9, "If it passes, the prediction stays at 90 %. If it fails, you may restrict the listing."),
        (0.93, "If it passes, the prediction rises from 90 % to 93 %. If it fails, you may restrict the listing."),
    ],
)
def test_both_results_of_the_next_test_are_said(if_passed: float, words: str) -> None:
    """What passing and what failing would change."""
    package, *_ = sampling_policy_in_force(DAY).options(Cell("mains_chargers", "EU"))
    assert outcome_sentence(NextTest(package, (), if_passed), 0.9) == words


def test_open_actions_name_the_last_due_day() -> None:
    """Not the first of them, and none where none is stated."""
    actions = [Remediation(f"R-{number}", "P-1", DAY, DAY, due, None, None)
               for number, due in enumerate((date(2026, 8, 16), date(2026, 7, 20)))]  # fmt: skip
    assert open_actions_sentence(actions) == "2 corrective actions open; the last is due 16 Aug 2026."
    assert open_actions_sentence(actions[1:]) == "1 corrective action open; due 20 Jul 2026."
    undated = [Remediation("R-3", "P-1", DAY, DAY, None, None, None)]
    assert open_actions_sentence(undated) == "1 corrective action open, without a due date."
