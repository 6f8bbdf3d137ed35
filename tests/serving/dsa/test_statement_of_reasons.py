"""Sellers are told why; the transparency database gets what its schema takes, and nobody's name."""

import json
import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from serving.decisions.records import ContextReason, Decision, DecisionContext, ListingSummary
from serving.dsa.statement_of_reasons import Statement, statement_of, write_letter
from serving.dsa.transparency_database import transparency_record
from tests.serving.decisions.cases import POLICY

OFFER = ListingSummary("USB charger 20 W", "mains_chargers", date(2025, 3, 1))
LOWERS = "The price lowers it."
SENTENCES = [f"Reason number {number} in a sentence." for number in range(6)]
REMOVAL = Decision(
    "d-0123456789ab", "K-1", "EU", "S-1", "remove", "failed_independent_test", "Frau Maier told me on the phone.",
    "failed_independent_test", "T-1", "An independent test of 1 June 2026 failed: electric shock.", None, None,
    "Anna Huber", "k-anna", "2026-07-01T12:00:00.000000+00:00", "in_force", "Bernd Vogel", "k-bernd",
    "2026-07-01T13:00:00.000000+00:00", "Agreed.", None, "2026-07-01", 0.41, "high", "harder",
    "m-1", "f-1", "p-1", None,
)  # fmt: skip
PAUSE = replace(REMOVAL, disposition="pause", code="serious_hazard_reported", fact_kind=None, fact_row=None,
                fact_sentence=None, ends_on="2026-07-08")  # fmt: skip
EVERY = [REMOVAL, PAUSE, replace(REMOVAL, disposition="suspend"), replace(REMOVAL, disposition="recall"),
         replace(REMOVAL, code="authority_order", fact_kind="authority_order")]  # fmt: skip
# The database's rules, as its API documentation and the repository digital-services-act/transparency-database say them
# (read on 2026-11-26): which attributes there are, which values one takes, which are required, how long a text may be.
ATTRIBUTES = {
    "decision_visibility", "decision_visibility_other", "decision_monetary", "decision_monetary_other",
    "decision_provision", "decision_account", "account_type", "decision_facts", "decision_ground",
    "decision_ground_reference_url", "illegal_content_legal_ground", "illegal_content_explanation",
    "incompatible_content_ground", "incompatible_content_explanation", "incompatible_content_illegal", "content_type",
    "content_type_other", "category", "category_addition", "category_specification", "category_specification_other",
    "content_id", "territorial_scope", "content_language", "content_date", "application_date",
    "end_date_account_restriction", "end_date_monetary_restriction", "end_date_service_restriction",
    "end_date_visibility_restriction", "source_type", "source_identity", "automated_detection", "automated_decision",
    "puid",
}  # fmt: skip
KEYWORDS = {"KEYWORD_UNSAFE_PRODUCTS", "KEYWORD_PROHIBITED_PRODUCTS", "KEYWORD_OTHER"}
# fmt: off
STATES = {
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT",
    "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
}
# fmt: on
CHOICES = {
    "decision_account": {"DECISION_ACCOUNT_SUSPENDED", "DECISION_ACCOUNT_TERMINATED"},
    "account_type": {"ACCOUNT_TYPE_BUSINESS", "ACCOUNT_TYPE_PRIVATE"},
    "decision_ground": {"DECISION_GROUND_ILLEGAL_CONTENT", "DECISION_GROUND_INCOMPATIBLE_CONTENT"},
    "category": {"STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS"},
    "source_type": {
        "SOURCE_ARTICLE_16",
        "SOURCE_TRUSTED_FLAGGER",
        "SOURCE_TYPE_OTHER_NOTIFICATION",
        "SOURCE_VOLUNTARY",
    },
    "automated_detection": {"Yes", "No"},
    "automated_decision": {
        "AUTOMATED_DECISION_FULLY",
        "AUTOMATED_DECISION_PARTIALLY",
        "AUTOMATED_DECISION_NOT_AUTOMATED",
    },
}  # fmt: skip
REQUIRED = {"decision_ground", "content_type", "territorial_scope", "category", "content_date", "application_date",
            "decision_facts", "source_type", "automated_detection", "automated_decision", "puid"}  # fmt: skip
LONGEST = {"decision_facts": 5000, "puid": 500,
           "illegal_content_legal_ground": 500, "illegal_content_explanation": 2000,
           "incompatible_content_ground": 500, "incompatible_content_explanation": 2000,
           "category_specification_other": 500}  # fmt: skip


def assert_takes(record: dict[str, Any]) -> None:
    """The rules of the database's own validation, as its documentation and source say them."""
    assert ATTRIBUTES >= set(record) >= REQUIRED
    assert set(record["category_specification"]) <= KEYWORDS
    assert set(record["territorial_scope"]) <= STATES
    assert set(record.get("content_id", {})) <= {"EAN-13"}
    assert re.fullmatch("[A-Z]{2}", record.get("content_language", "EN"))
    assert record["application_date"] >= "2020-01-01"
    assert all(record[name] in choices for name, choices in CHOICES.items() if name in record)
    assert all(len(record[name]) <= longest for name, longest in LONGEST.items() if name in record)
    assert record.get("decision_visibility") or record.get("decision_account")
    assert set(record.get("decision_visibility", [])) <= {
        "DECISION_VISIBILITY_CONTENT_REMOVED", "DECISION_VISIBILITY_CONTENT_DISABLED"
    }  # fmt: skip
    kind = record["decision_ground"].removeprefix("DECISION_GROUND_").lower()
    ground = f"{kind}_legal_ground" if kind == "illegal_content" else f"{kind}_ground"
    assert record[ground]
    assert record[f"{kind}_explanation"]
    assert record["content_type"] == ["CONTENT_TYPE_PRODUCT"]
    assert re.fullmatch(r"[A-Za-z0-9_-]+", record["puid"])
    days = [record[n] for n in ("content_date", "application_date", "end_date_visibility_restriction") if n in record]
    assert all("2000-01-01" <= date.fromisoformat(day).isoformat() == day <= "2038-01-01" for day in days)
    assert record.get("end_date_visibility_restriction", "9") >= record["application_date"]
    assert ("category_specification_other" in record) == ("KEYWORD_OTHER" in record["category_specification"])
    json.dumps(record)


def drafted(decision: Decision = REMOVAL, sentences: list[str] = SENTENCES) -> Statement:
    """A statement under the policy in force."""
    reasons = tuple(ContextReason("sku_units_90", 0.5, sentence) for sentence in sentences)
    context = DecisionContext(0.3, 0.5, (*reasons, ContextReason("price_eur", -0.2, LOWERS)), (), OFFER)
    return statement_of(replace(decision, shown=json.dumps(context.to_json())), POLICY)


@pytest.mark.parametrize("decision", EVERY, ids=lambda each: f"{each.disposition} {each.code}")
@pytest.mark.parametrize("market", ["EU", "DE", "EEA"])
def test_every_restriction_gives_a_record_that_the_database_takes(decision: Decision, market: str) -> None:
    record = transparency_record(drafted(replace(decision, market=market)), "de")
    assert_takes(record)
    assert record["content_language"] == "DE"
    assert len(record["territorial_scope"]) == {"EU": 27, "DE": 1, "EEA": 30}[market]


@given(fact=st.text(max_size=9000), sentences=st.lists(st.text(max_size=3000), max_size=6))
def test_no_text_is_too_long_for_it(fact: str, sentences: list[str]) -> None:
    assert_takes(transparency_record(drafted(replace(REMOVAL, fact_sentence=fact), sentences)))


@pytest.mark.parametrize("decision", EVERY, ids=lambda each: f"{each.disposition} {each.code}")
def test_nobody_is_named(decision: Decision) -> None:
    """Neither officers nor whom they name in their notes stand in the letter or the record."""
    text = write_letter(drafted(decision)) + json.dumps(transparency_record(drafted(decision)))
    for secret in ("Anna", "Huber", "Bernd", "Vogel", "Maier", "k-anna", "Agreed"):
        assert secret not in text


def test_found_by_score_and_decided_by_people() -> None:
    """Detection yes, decision partly; an authority's order was found by nobody's model."""
    record = transparency_record(drafted())
    assert (record["automated_detection"], record["automated_decision"]) == ("Yes", "AUTOMATED_DECISION_PARTIALLY")
    ordered = transparency_record(drafted(EVERY[-1]))
    assert (ordered["automated_detection"], ordered["automated_decision"]) == (
        "No", "AUTOMATED_DECISION_NOT_AUTOMATED"
    )  # fmt: skip
    assert (record["source_type"], ordered["source_type"]) == ("SOURCE_VOLUNTARY", "SOURCE_TYPE_OTHER_NOTIFICATION")


def test_a_pause_is_no_finding_and_ends() -> None:
    """It rests on the terms and says until when."""
    record = transparency_record(drafted(PAUSE))
    assert record["decision_ground"] == "DECISION_GROUND_INCOMPATIBLE_CONTENT"
    assert record["end_date_visibility_restriction"] == "2026-07-08"
    assert "paused the offer of this product until 2026-07-08" in " ".join(write_letter(drafted(PAUSE)).split())


def test_the_letter_says_what_the_law_asks_for() -> None:
    """Fact, at most four reasons, rule, automation, remedy, and six months to appeal to somebody new."""
    text = " ".join(write_letter(drafted()).split())
    assert "An independent test of 1 June 2026 failed: electric shock." in text
    assert sum(sentence in text for sentence in SENTENCES) == 4
    assert LOWERS not in text
    for part in (
        "Regulation (EU) 2023/988", "It decided nothing", "Correct the product", "until 2027-01-01",
        "who had no part in this decision", "DRAFT", "What made us look at it",
    ):  # fmt: skip
        assert part in text
    for word in ("SHAP", "log-odds", "unsafe", "score"):
        assert word not in text


@pytest.mark.parametrize("decision", EVERY, ids=lambda each: f"{each.disposition} {each.code}")
def test_a_seller_elsewhere_is_not_told_of_european_law(decision: Decision) -> None:
    for market, is_european in (("DE", True), ("EU", True), ("US", False), ("UK", False)):
        text = write_letter(drafted(replace(decision, market=market)))
        assert ("certified body" in text) == is_european
        assert ("Regulation (EU)" in text) == (is_european and decision.disposition != "pause")


def test_an_article_number_is_given_and_other_ids_are_not() -> None:
    """GS1's own check digit decides."""
    assert transparency_record(drafted(replace(REMOVAL, sku_id="4006381333931")))["content_id"] == {
        "EAN-13": "4006381333931"
    }
    for other in ("4006381333932", "K-1", "400638133393\u0661"):
        assert "content_id" not in transparency_record(drafted(replace(REMOVAL, sku_id=other)))


def test_other_markets_and_gentle_decisions_owe_no_record() -> None:
    with pytest.raises(UserError, match="Market US is outside the EU"):
        transparency_record(drafted(replace(REMOVAL, market="US")))
    with pytest.raises(UserError, match="no statement of reasons is owed"):
        drafted(replace(REMOVAL, disposition="order_test", code="score_high"))
    with pytest.raises(UserError, match="no statement of reasons is owed"):
        drafted(replace(REMOVAL, state="declined"))


def test_before_approval_there_is_no_statement() -> None:
    """A letter that says another person approved is never true before."""
    proposed = replace(REMOVAL, state="proposed", settled_by=None, settler_key=None, settled_at=None)
    with pytest.raises(UserError, match="waits for approval and restricts nothing yet"):
        drafted(proposed)


def test_what_was_not_kept_is_not_made_up() -> None:
    with pytest.raises(UserError, match="taken before reasons were kept"):
        statement_of(REMOVAL, POLICY)
