"""The record of a statement is one that the database takes, names nobody, and says what started the case."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from serving.decisions.case_origin import CaseOrigin
from serving.dsa import transparency_database
from serving.dsa.transparency_database import PublicStatement, transparency_record
from serving.letters.facts import DecisionEnd, DecisionEvidence, LetterFacts, LetterProduct
from tests.serving.letters.cases import statements, terms
from tests.serving.letters.test_compose import STATEMENT

SCHEMA = json.loads(Path(transparency_database.__file__).with_name("statement_schema.json").read_text("utf-8"))
VALIDATOR = jsonschema_rs.validator_for(SCHEMA, validate_formats=True)
LISTED = date(2025, 3, 1)


def record_of(facts: LetterFacts, listed_on: date = LISTED) -> dict[str, Any]:
    """The record of a statement under the policies in force."""
    decision = facts.decision
    assert decision is not None
    wording = terms().decisions.grounds[decision.evidence.kind or "terms"]
    return transparency_record(PublicStatement(facts, listed_on, wording), terms())


def assert_taken(record: dict[str, Any]) -> None:
    """The schema takes it, and no end lies before the application date."""
    assert [str(error) for error in VALIDATOR.iter_errors(record)] == []
    ends = [day for name, day in record.items() if name.startswith("end_date_")]
    assert all(day >= record["application_date"] for day in ends)


@given(statements(), st.sampled_from(["EU", "DE", "EEA", "NO"]), st.dates(date(1990, 1, 1), date(2026, 11, 30)))
def test_every_statement_gives_a_record_that_the_database_takes(facts: LetterFacts, market: str, listed: date) -> None:
    """Over origins, dispositions, grounds, ends and markets; its facts are sentences of the letter."""
    assert facts.product is not None
    record = record_of(replace(facts, product=replace(facts.product, market=market)), listed)
    assert_taken(record)
    assert len(record["territorial_scope"]) == {"EU": 27, "DE": 1, "EEA": 30, "NO": 1}[market]
    assert record["automated_decision"] == "AUTOMATED_DECISION_NOT_AUTOMATED"
    assert facts.decision is not None
    assert (record["automated_detection"] == "Yes") == (facts.decision.origin is CaseOrigin.MODEL)


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        (CaseOrigin.ARTICLE_16_NOTICE, "SOURCE_ARTICLE_16"), (CaseOrigin.TRUSTED_FLAGGER, "SOURCE_TRUSTED_FLAGGER"),
        (CaseOrigin.OTHER_NOTIFICATION, "SOURCE_TYPE_OTHER_NOTIFICATION"),
        (CaseOrigin.AUTHORITY, "SOURCE_TYPE_OTHER_NOTIFICATION"),
        (CaseOrigin.COMPLAINT_SAMPLE, "SOURCE_TYPE_OTHER_NOTIFICATION"),
        (CaseOrigin.RANDOM_TEST, "SOURCE_VOLUNTARY"), (CaseOrigin.MANDATORY_TEST, "SOURCE_VOLUNTARY"),
        (CaseOrigin.MODEL, "SOURCE_VOLUNTARY"), (CaseOrigin.OFFICER, "SOURCE_VOLUNTARY"),
    ],
)  # fmt: skip
def test_the_source_is_what_started_the_case(origin: CaseOrigin, source: str) -> None:
    assert STATEMENT.decision is not None
    assert record_of(replace(STATEMENT, decision=replace(STATEMENT.decision, origin=origin)))["source_type"] == source


@given(st.text(max_size=9000))
def test_no_text_is_too_long_for_it(fact: str) -> None:
    assert STATEMENT.decision is not None
    evidence = DecisionEvidence("failed_independent_test", recorded=fact)
    assert_taken(record_of(replace(STATEMENT, decision=replace(STATEMENT.decision, evidence=evidence))))


@given(statements())
def test_no_text_of_others_is_in_it(facts: LetterFacts) -> None:
    """Neither titles nor reasons of a model, which may quote people."""
    assert facts.product is not None
    assert facts.decision is not None
    spoken = replace(
        facts, product=LetterProduct("K-1", "EU", "Maier's favourite"),
        decision=replace(facts.decision, reasons=("A buyer named Maier returned it.",)),
    )  # fmt: skip
    assert "Maier" not in json.dumps(record_of(spoken))


def test_a_pause_rests_on_the_terms_and_ends() -> None:
    assert STATEMENT.decision is not None
    pause = replace(
        STATEMENT.decision, disposition="pause", ends_on=date(2026, 12, 7), evidence=DecisionEvidence(None)
    )  # fmt: skip
    record = record_of(replace(STATEMENT, decision=pause))
    assert_taken(record)
    assert record["decision_ground"] == "DECISION_GROUND_INCOMPATIBLE_CONTENT"
    assert record["end_date_visibility_restriction"] == "2026-12-07"
    ended = replace(pause, end=DecisionEnd("reversed", date(2026, 12, 2)))
    assert record_of(replace(STATEMENT, decision=ended))["end_date_visibility_restriction"] == "2026-12-02"


def test_an_article_number_is_given_and_other_ids_are_not() -> None:
    """GS1's own check digit decides."""
    for sku_id, given_ in (("4006381333931", True), ("4006381333932", False), ("K-1", False),
                           ("400638133393\u0661", False)):  # fmt: skip
        record = record_of(replace(STATEMENT, product=LetterProduct(sku_id, "EU", None)))
        assert_taken(record)
        assert record.get("content_id") == ({"EAN-13": sku_id} if given_ else None)


def test_other_markets_owe_no_record() -> None:
    with pytest.raises(UserError, match="Market US is outside the EU"):
        record_of(replace(STATEMENT, product=LetterProduct("K-1", "US", None)))


def test_a_disposition_without_a_code_is_refused() -> None:
    assert STATEMENT.decision is not None
    with pytest.raises(UserError, match="The transparency database has no code for 'fine'"):
        record_of(replace(STATEMENT, decision=replace(STATEMENT.decision, disposition="fine")))


def test_the_schema_refuses_what_the_database_refuses() -> None:
    """So that the law above could fail."""
    good = record_of(STATEMENT)
    for broken in (
        {**good, "puid": "d 1"}, {**good, "category": "STATEMENT_CATEGORY_PIRACY"}, {**good, "content_type": []},
        {**good, "automated_decision": "No"}, {**good, "source_type": "SOURCE_OTHER"}, {**good, "secret": 1},
        {name: value for name, value in good.items() if name != "illegal_content_explanation"},
        {name: value for name, value in good.items() if name != "decision_visibility"},
        {**good, "territorial_scope": ["UK"]}, {**good, "content_date": "2026-11-31"},
    ):  # fmt: skip
        assert not VALIDATOR.is_valid(broken), broken
