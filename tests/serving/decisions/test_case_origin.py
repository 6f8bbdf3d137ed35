"""What started a case is told from the rows behind its decision, never guessed from the decision itself."""

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.decisions.case_origin import NOTICE_ORIGINS, CaseOrigin, origin_of_decision, origin_of_test
from serving.decisions.ground_rows import GroundNotice, GroundRows, GroundTest, read_ground_rows
from serving.decisions.records import ContextReason, Decision, DecisionContext, ListingSummary, read_context
from tests.serving.letters.cases import lab_tests
from tests.serving.letters.decided import REMOVAL

DAY = date(2026, 6, 1)
NOTICES = CaseOrigin.OTHER_NOTIFICATION
NOTICE = GroundNotice("I-1", DAY, "fire")
PAUSE = replace(REMOVAL, disposition="pause", code="serious_hazard_reported", fact_kind=None, fact_row=None,
                fact_sentence=None)  # fmt: skip


def with_rows(decision: Decision, rows: GroundRows | None) -> Decision:
    """The decision with these rows stored behind its grounds."""
    offer = ListingSummary("USB charger", "mains_chargers", date(2025, 3, 1))
    context = DecisionContext(0.3, 0.5, (ContextReason("sku_tests", 0.5, "One test."),), (), offer, rows=rows)
    return replace(decision, shown=json.dumps(context.to_json()))


def a_test(origin: str = "warehouse", strategy: str | None = None) -> GroundTest:
    """The failed test that the removal rests on."""
    return GroundTest("T-1", DAY, DAY, "fail", origin, strategy)


@pytest.mark.parametrize(
    ("origin", "strategy", "expected"),
    [
        ("warehouse", "random", CaseOrigin.RANDOM_TEST), ("warehouse", "mandatory", CaseOrigin.MANDATORY_TEST),
        ("mystery_shopper", "model", CaseOrigin.MODEL), ("warehouse", "rule", CaseOrigin.RULE_TEST),
        ("warehouse", "follow_up", CaseOrigin.FOLLOW_UP_TEST), ("warehouse", None, CaseOrigin.OWN_TEST),
        ("complaint", "model", CaseOrigin.COMPLAINT_SAMPLE), ("customs", None, CaseOrigin.CUSTOMS_SAMPLE),
    ],
)  # fmt: skip
def test_a_decision_on_a_test_began_with_what_the_test_began_with(
    origin: str, strategy: str | None, expected: CaseOrigin
) -> None:
    decision = with_rows(REMOVAL, GroundRows(tests=(a_test(origin, strategy),), flagged_by_score=True))
    assert origin_of_decision(decision, NOTICES) is expected


@given(st.sampled_from(NOTICE_ORIGINS), st.booleans())
def test_a_pause_on_a_notice_began_with_the_notice(notices_are: CaseOrigin, flagged: bool) -> None:
    """Whatever the score said; of an old decision its code alone says so."""
    assert origin_of_decision(with_rows(PAUSE, GroundRows((), (), (), (NOTICE,), flagged)), notices_are) is notices_are
    assert origin_of_decision(with_rows(PAUSE, None), notices_are) is notices_are


def test_without_ground_and_notice_the_score_or_an_officer_began_it() -> None:
    assert origin_of_decision(with_rows(PAUSE, GroundRows(flagged_by_score=True)), NOTICES) is CaseOrigin.MODEL
    assert origin_of_decision(with_rows(PAUSE, GroundRows()), NOTICES) is CaseOrigin.OFFICER
    asked = replace(PAUSE, disposition="request_documents", code="labels_incomplete")
    assert origin_of_decision(with_rows(asked, GroundRows(notices=(NOTICE,))), NOTICES) is CaseOrigin.OFFICER


def test_an_order_and_a_document_are_origins_of_their_own() -> None:
    ordered = replace(REMOVAL, fact_kind="authority_order", fact_row="H-1", code="authority_order")
    assert origin_of_decision(with_rows(ordered, GroundRows(flagged_by_score=True)), NOTICES) is CaseOrigin.AUTHORITY
    denied = replace(REMOVAL, fact_kind="certificate_denied", fact_row="C-1", code="certificate_denied")
    assert origin_of_decision(with_rows(denied, GroundRows()), NOTICES) is CaseOrigin.DOCUMENT_CHECK


def test_an_old_decision_claims_no_automation() -> None:
    """Without the row of its test nothing says that a score chose it."""
    assert origin_of_decision(REMOVAL, NOTICES) is CaseOrigin.OWN_TEST
    assert origin_of_decision(with_rows(REMOVAL, None), NOTICES) is CaseOrigin.OWN_TEST


@given(lab_tests())
def test_rows_are_stored_and_read_again(test: GroundTest) -> None:
    rows = GroundRows((test,), notices=(NOTICE,), flagged_by_score=True)
    stored = with_rows(REMOVAL, rows).decision_context
    assert stored is not None
    assert stored.rows == rows
    assert origin_of_test(test) is not CaseOrigin.OFFICER


def test_rows_of_another_version_are_read_as_far_as_they_go() -> None:
    """A field that a later version added is left out; one that an earlier lacked has its default."""
    read = read_ground_rows({"tests": [{"test_id": "T-1", "happened_on": "2026-06-01", "known_on": "2026-06-02",
                                        "result": "fail", "origin": "warehouse", "new": 1}]})  # fmt: skip
    assert read is not None
    assert read.tests == (GroundTest("T-1", DAY, date(2026, 6, 2), "fail", "warehouse"),)
    before = json.dumps({"p_low": 0.1, "p_high": 0.2, "reasons": [], "facts": [],
                         "offer": {"title": None, "category": "toys", "listed_on": "2025-01-01"}})  # fmt: skip
    assert read_context(before).rows is None
