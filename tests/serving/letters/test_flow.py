"""Letters are drafted once by what happened, sent as they were checked, and each step stands in the ledger."""

import threading
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.database.audit_log import audit_rows, verify_chain
from data.errors import UserError
from data.lab_results.store import Sender, store_results
from data.workspace import write_pointer
from serving.decisions.appeals import AppealAnswer, answer_appeal, file_appeal
from serving.decisions.ground_rows import GroundNotice, GroundRows, GroundTest
from serving.decisions.legal_grounds import Ground
from serving.decisions.records import CaseFile, Decision
from serving.decisions.rules import Officer, Proposal, Signature
from serving.decisions.store import Decisions
from serving.letters.appeal_period import appeal_period_starts
from serving.letters.drafting import ensure_letters
from serving.letters.facts import LetterKind
from serving.letters.sending import check_letter, preview, send_letter
from serving.letters.sources import LetterSources, facts_of, letter_terms
from serving.letters.store import (
    DELIVERED,
    DRAFT,
    SENT,
    WITHDRAWN,
    Letter,
    count_letters_to_send,
    deliver,
    letter_by_id,
    letters_in,
    outbox,
)
from tests.serving.decisions.cases import ANNA, BERND, FAILED, FAILED_AGAIN, NOON, POLICY, WORDS, file
from tests.serving.letters.conftest import SKU

CLARA, DORA = Officer("Clara", "admin", "k-clara"), Officer("Dora", "officer", "k-dora")
NOTE = "The sample was of another batch."
TEST = GroundTest("T-1", date(2026, 5, 20), date(2026, 6, 1), "fail", "warehouse", "random", "Charger safety set",
                  "LAB-01", "critical", "fire")  # fmt: skip
EVERY_STATE = ("draft", "checked", "sent", "delivered", "withdrawn")


def with_rows(case_file: CaseFile, rows: GroundRows) -> CaseFile:
    """The case file with these rows behind its grounds."""
    assert case_file.context is not None
    return replace(case_file, context=replace(case_file.context, rows=rows))


def decided(
    decisions: Decisions, disposition: str, *grounds: Ground, rows: GroundRows | None = None, at: datetime = NOON
) -> Decision:
    """A decision of Anna, approved by Bernd where it needs four eyes."""
    code = POLICY.disposition(disposition).codes[0]
    case_file = with_rows(file(*grounds), rows or GroundRows(tests=(TEST,)))
    proposed = decisions.propose(Proposal(disposition, code, WORDS), ANNA, case_file, at)
    four_eyes = POLICY.disposition(disposition).four_eyes
    return decisions.approve(proposed.decision_id, BERND, at, NOTE) if four_eyes else proposed


def drafted(sources: LetterSources, at: datetime = NOON) -> list[Letter]:
    """Every letter there is after drafting what is owed."""
    ensure_letters(sources, at)
    return letters_in(sources.engine, EVERY_STATE)


def the(letters: list[Letter], kind: LetterKind) -> Letter:
    """The only letter of a kind."""
    [letter] = [each for each in letters if each.kind == kind]
    return letter


def told(sources: LetterSources, letter: Letter, at: datetime = NOON) -> str:
    """The text of a letter on one line."""
    return " ".join(preview(sources, letter, "en", at.date()).rendered.text.split())


def result(test_id: str, found: str, origin: str = "warehouse", **values: Any) -> dict[str, Any]:
    """A laboratory result of the product of these tests."""
    return {"test_id": test_id, "sku_id": SKU, "market": "EU", "happened_on": date(2026, 6, 20),
            "known_on": date(2026, 7, 1), "result": found, "origin": origin, "strategy": "random", "propensity": None,
            "package": "Charger safety set", "lab_id": "LAB-02", "severity": None, "hazard": None, "cost_eur": None,
            "round_id": None, **values}  # fmt: skip


def received(sources: LetterSources, *results: dict[str, Any]) -> None:
    """Results that came in at noon."""
    store_results(sources.engine, sources.workspace, results, Sender("Lab", "k-lab", NOON))


def test_a_restriction_in_force_is_owed_a_statement_once(decisions: Decisions, sources: LetterSources) -> None:
    removal = decided(decisions, "remove", FAILED)
    assert ensure_letters(sources, NOON) == 1
    assert ensure_letters(sources, NOON + timedelta(days=400)) == 0
    [letter] = letters_in(sources.engine, EVERY_STATE)
    assert (letter.kind, letter.about, letter.supplier_id) == ("statement_of_reasons", removal.decision_id, "S-1")
    assert (letter.state, letter.title, letter.language) == (DRAFT, "USB charger", "en")
    assert count_letters_to_send(sources.engine) == 1
    text = told(sources, letter)
    assert "This product was drawn at random for a test." in text
    assert "Finding: fire hazard (critical failure)." in text
    assert "Anna" not in text
    assert "The charger grew hot" not in text


def test_a_proposal_is_owed_no_letter(decisions: Decisions, sources: LetterSources) -> None:
    decisions.propose(Proposal("remove", "failed_independent_test", WORDS), ANNA, file(FAILED), NOON)
    decided(decisions, "order_test")
    assert ensure_letters(sources, NOON) == 0


def test_many_at_once_draft_each_letter_once(decisions: Decisions, sources: LetterSources) -> None:
    for disposition in ("remove", "pause", "request_documents"):
        decided(decisions, disposition, FAILED)
    threads = [threading.Thread(target=ensure_letters, args=(sources, NOON)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    letters = letters_in(sources.engine, EVERY_STATE)
    assert sorted(each.kind for each in letters) == ["documents_requested", *["statement_of_reasons"] * 2]
    assert sum(row.action == "draft_letter" for row in audit_rows(sources.engine)) == 3
    verify_chain(sources.engine)


def test_a_suspension_speaks_of_the_account(decisions: Decisions, sources: LetterSources) -> None:
    decided(decisions, "suspend", FAILED, FAILED_AGAIN)
    text = told(sources, the(drafted(sources), LetterKind.SUSPENSION))
    assert "we suspended your seller account. All your listings were taken off sale." in text
    assert "The suspension has no fixed end" in text


def test_requested_documents_are_due_when_the_clock_runs_out(decisions: Decisions, sources: LetterSources) -> None:
    decided(decisions, "request_documents")
    text = told(sources, the(drafted(sources), LetterKind.DOCUMENTS_REQUESTED))
    assert "Send the documents by 15 July 2026" in text
    assert "A person took the decision." in text


def test_a_pause_on_a_notice_is_said_to_come_from_the_notice(decisions: Decisions, sources: LetterSources) -> None:
    """And its end is told once it has ended, with what else restricts the product."""
    notice = GroundNotice("I-1", date(2026, 6, 29), "burn")
    pause = decided(decisions, "pause", rows=GroundRows(notices=(notice,), flagged_by_score=True))
    text = told(sources, the(drafted(sources), LetterKind.STATEMENT_OF_REASONS))
    assert "We received a report of harm, or of a near miss, with this product." in text
    assert "computer program" not in text
    after = NOON + timedelta(days=8)
    assert not [each for each in drafted(sources, NOON + timedelta(days=7)) if each.kind == LetterKind.PAUSE_ENDED]
    ended = the(drafted(sources, after), LetterKind.PAUSE_ENDED)
    assert "You may offer the product again." in told(sources, ended, after)
    removal = decided(decisions, "remove", FAILED, at=after)
    assert f"restricted because of our decision {removal.decision_id}" in told(sources, ended, after)
    assert ended.about == pause.decision_id


def test_what_was_checked_is_what_is_sent(decisions: Decisions, sources: LetterSources) -> None:
    """In its language, on the day of the sending; a change of its facts asks for a new check."""
    removal = decided(decisions, "remove", FAILED)
    letter_id = the(drafted(sources), LetterKind.STATEMENT_OF_REASONS).letter_id
    with pytest.raises(UserError, match=r"is a draft\. Check it first"):
        send_letter(sources, letter_id, Signature(BERND, NOON))
    check_letter(sources, letter_id, "zh-Hans", Signature(BERND, NOON))
    appeal = file_appeal(sources.engine, removal, NOTE, Signature(DORA, NOON), POLICY)
    answer_appeal(sources.engine, appeal.appeal_id, AppealAnswer("reversed", NOTE), Signature(CLARA, NOON), POLICY)
    with pytest.raises(UserError, match=r"has changed since Bernd checked it\. Check it again\."):
        send_letter(sources, letter_id, Signature(BERND, NOON))
    assert preview(sources, letter_by_id(sources.engine, letter_id), "en", NOON.date()).changed
    check_letter(sources, letter_id, "en", Signature(DORA, NOON))
    later = NOON + timedelta(days=5)
    sent = send_letter(sources, letter_id, Signature(BERND, later))
    assert (sent.state, sent.sent_by, sent.language) == (SENT, "Bernd", "en")
    assert sent.text is not None
    assert "Date: 6 July 2026" in sent.text
    assert "On 1 July 2026 we reversed this decision." in " ".join(sent.text.split())
    assert "DRAFT" not in sent.text + (sent.html or "")
    assert send_letter(sources, letter_id, Signature(ANNA, later)) == sent
    with pytest.raises(UserError, match="only a letter that was not sent can be checked"):
        check_letter(sources, letter_id, "en", Signature(DORA, NOON))


def test_the_outbox_is_read_by_cursor_and_emptied_by_delivery(decisions: Decisions, sources: LetterSources) -> None:
    for disposition in ("remove", "pause"):
        decided(decisions, disposition, FAILED)
    for letter in drafted(sources):
        for _ in ("first click", "second click"):
            check_letter(sources, letter.letter_id, "en", Signature(ANNA, NOON))
        with pytest.raises(UserError, match="not sent; it cannot have been delivered"):
            deliver(sources.engine, letter.letter_id, Signature(ANNA, NOON))
        send_letter(sources, letter.letter_id, Signature(ANNA, NOON))
    first, second = outbox(sources.engine, 0, 10)
    assert outbox(sources.engine, first.sent_row or 0, 10) == [second]
    assert outbox(sources.engine, 0, 1) == [first]
    delivered = deliver(sources.engine, first.letter_id, Signature(CLARA, NOON))
    assert deliver(sources.engine, first.letter_id, Signature(CLARA, NOON + timedelta(days=1))) == delivered
    assert delivered.state == DELIVERED
    assert outbox(sources.engine, 0, 10) == [second]
    steps = [row.action for row in audit_rows(sources.engine) if "letter" in row.action]
    assert steps == [*["draft_letter"] * 2, *["check_letter", "send_letter"] * 2, "deliver_letter"]
    verify_chain(sources.engine)


def test_the_time_to_appeal_runs_from_the_sending(decisions: Decisions, sources: LetterSources) -> None:
    removal = decided(decisions, "remove", FAILED)
    late = NOON + timedelta(days=300)
    assert appeal_period_starts(sources.engine, removal.decision_id) is None
    assert file_appeal(sources.engine, removal, NOTE, Signature(DORA, late), POLICY).outcome is None
    letter = the(drafted(sources, late), LetterKind.STATEMENT_OF_REASONS)
    check_letter(sources, letter.letter_id, "en", Signature(ANNA, late))
    sent = send_letter(sources, letter.letter_id, Signature(ANNA, late))
    assert appeal_period_starts(sources.engine, removal.decision_id) == late.date() == date(2027, 4, 27)
    assert "until 27 October 2027" in " ".join((sent.text or "").split())
    last = datetime(2027, 10, 27, 12, tzinfo=NOON.tzinfo)
    assert file_appeal(sources.engine, removal, NOTE, Signature(DORA, last), POLICY).outcome is None
    with pytest.raises(UserError, match="ended on 2027-10-27"):
        file_appeal(sources.engine, removal, NOTE, Signature(DORA, last + timedelta(days=1)), POLICY)


def test_an_appeal_is_acknowledged_and_answered(decisions: Decisions, sources: LetterSources) -> None:
    """A modification says to what; the receipt of an appeal that was answered is not owed any more."""
    removal = decided(decisions, "remove", FAILED)
    appeal = file_appeal(sources.engine, removal, NOTE, Signature(DORA, NOON), POLICY)
    received_ = the(drafted(sources), LetterKind.APPEAL_RECEIVED)
    assert "We will answer by 15 July 2026." in told(sources, received_)
    answer = AppealAnswer("modified", NOTE, "pause", "incident_under_inquiry")
    answer_appeal(sources.engine, appeal.appeal_id, answer, Signature(CLARA, NOON), POLICY)
    letters = drafted(sources)
    assert the(letters, LetterKind.APPEAL_RECEIVED).state == WITHDRAWN
    text = told(sources, the(letters, LetterKind.APPEAL_ANSWERED))
    assert "We changed the decision. Your listing is now paused until 8 July 2026." in text
    assert f"Our reason: {NOTE}" in text
    statements = {each.about: each for each in letters if each.kind == LetterKind.STATEMENT_OF_REASONS}
    assert len(statements) == 2
    text = told(sources, statements[removal.decision_id])
    assert "On 1 July 2026 we changed this decision. Your listing is now paused" in text


def test_results_are_told_until_they_are_decided_on(decisions: Decisions, sources: LetterSources) -> None:
    """Neither a supplier's own sample nor a product that the catalogue lacks nor an inconclusive test gets a letter."""
    received(
        sources, result("T-1", "fail", severity="critical", hazard="fire"), result("T-5", "pass"),
        result("T-6", "fail", "supplier_provided"), result("T-7", "inconclusive"),
        result("T-8", "pass", sku_id="K-none"),
    )  # fmt: skip
    letters = drafted(sources)
    assert {(each.kind, each.about) for each in letters} == {("test_failed", "T-1"), ("test_passed", "T-5")}
    assert "Your product passed an independent laboratory test." in told(sources, the(letters, LetterKind.TEST_PASSED))
    failed = the(letters, LetterKind.TEST_FAILED)
    assert "You may answer until 8 July 2026" in told(sources, failed)
    assert ensure_letters(sources, NOON) == 0
    removal = decided(decisions, "remove", FAILED)
    letters = drafted(sources)
    assert the(letters, LetterKind.TEST_FAILED).state == WITHDRAWN
    passed = told(sources, the(letters, LetterKind.TEST_PASSED))
    assert f"Your listing stays restricted because of our decision {removal.decision_id}" in passed


def test_a_corrective_action_is_told_before_it_is_due(sources: LetterSources) -> None:
    folder = sources.workspace.lake / "l-1"
    folder.mkdir(parents=True)
    days = {"R-due": date(2026, 7, 10), "R-later": date(2026, 8, 10), "R-done": date(2026, 7, 10)}
    pq.write_table(pa.table({
        "remediation_id": list(days), "supplier_id": ["S-1"] * 3, "happened_on": [date(2026, 6, 1)] * 3,
        "known_on": [date(2026, 6, 1)] * 3, "due_on": list(days.values()),
        "verified_on": pa.array([None, None, date(2026, 6, 30)], pa.date32()), "effective": [None, None, True],
    }), folder / "remediations.parquet")  # fmt: skip
    write_pointer(sources.workspace.lake / "CURRENT", "l-1")
    letter = the(drafted(sources), LetterKind.CORRECTIVE_ACTION_DUE)
    assert (letter.about, letter.sku_id) == ("R-due", None)
    facts = facts_of(letter, sources, letter_terms("en", NOON.date()))
    assert facts.action is not None
    assert "Complete the corrective action by 10 July 2026" in told(sources, letter)


def test_what_is_gone_is_said_and_nothing_is_made_up(sources: LetterSources) -> None:
    gone = Letter("l-1", "statement_of_reasons", "d-none", "S-1", "K-1", "EU", None, DRAFT, "en", NOON.isoformat())
    with pytest.raises(UserError, match="There is no decision 'd-none' any more"):
        facts_of(gone, sources, letter_terms("en", NOON.date()))
    with pytest.raises(UserError, match="There is no letter 'l-none'"):
        letter_by_id(sources.engine, "l-none")
