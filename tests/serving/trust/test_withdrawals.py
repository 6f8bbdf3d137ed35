"""A summary stands only while nothing speaks against it, and falls by itself, without a scoring."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from data.contract import CERTIFICATES
from data.database.audit_log import audit_rows
from data.database.connection import write_transaction
from data.database.schema import TRUST_CODES
from data.errors import UnavailableError, UserError
from data.handed_in_rows import HandIn, RowSender, accept_rows
from models.hazard_words import hazard_phrase
from serving.console.context import AppContext
from serving.decisions.appeals import file_appeal
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import SkuKey
from serving.decisions.rules import Officer, Signature
from serving.notices.policy import notice_policy_in_force
from serving.notices.store import NoticeForm, NoticeReport, NoticeSubject, take_notice
from serving.publication import published_name
from serving.trust.answer import TrustAnswer
from serving.trust.eligibility import obstacles
from serving.trust.policy import trust_policy_in_force
from serving.trust.publication import publish_trust
from serving.trust.register import TrustRegister
from serving.trust.store import TrustCodes
from serving.trust.summary import TrustState
from serving.trust.table import open_trust_table, trust_folder
from serving.trust.withdrawals import withdraw_ineligible
from tests.serving.browser.shop import DAY
from tests.serving.console.conftest import SHOP_NOW
from tests.serving.trust.cases import ANNA, BERND, KEY, approve, case_of, hand_in, propose, published, result

POLICY = trust_policy_in_force(DAY)
LATER = SHOP_NOW + timedelta(minutes=1)


class Clock:
    """A steady clock that tests move."""

    seconds = 0.0

    def __call__(self) -> float:
        """The seconds so far."""
        return self.seconds


def register_of(context: AppContext) -> TrustRegister:
    """The register of another worker."""
    return TrustRegister(context.engine, context.settings.workspace, lambda: 0.0)


def said_of(context: AppContext, code: str) -> TrustAnswer:
    """What a worker that starts now says of a code."""
    answer = register_of(context).find(code, context.now())
    assert answer is not None
    return answer


def test_a_pass_is_published_once(trusted: AppContext) -> None:
    """Twice is the same code; its row and the ledger's are written together."""
    code = published(trusted)
    assert TrustCodes(trusted.engine).issue(case_of(trusted), Signature(ANNA, LATER)) == code
    (row,) = [each for each in audit_rows(trusted.engine) if each.action == "issue_trust"]
    assert (row.subject, row.actor, row.number) == ("K-19 EU", "Anna", code.ledger_row)
    assert said_of(trusted, code.code).state is TrustState.PASSED


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"result": "fail", "severity": "minor", "hazard": "cord"}, "failed an independent laboratory test"),
    ({"origin": "supplier_provided", "propensity": None, "strategy": None}, "no independent test"),
    ({"package": "XRF screen"}, "no independent test with the full package"),
    ({"known_on": DAY - timedelta(days=366), "happened_on": DAY - timedelta(days=380)}, "in the last 365 days"),
    ({"status": "cancelled", "result": "inconclusive"}, "no independent test"),
])  # fmt: skip
def test_no_other_test_is_published(trusted: AppContext, changes: dict[str, Any], sentence: str) -> None:
    """Neither a failure, a sample of the supplier, a screen, an old report nor one that was cancelled."""
    hand_in(trusted, result(**changes))
    with pytest.raises(UserError, match=sentence):
        TrustCodes(trusted.engine).issue(case_of(trusted), Signature(ANNA, SHOP_NOW))


def test_what_keeps_a_product_from_a_summary_is_told(trusted: AppContext) -> None:
    """An order, a proposal, a notice, a listing without responsible person, a role that may not."""
    hand_in(trusted, result("K-7"), result())
    assert any("holds the product" in each for each in obstacles(case_of(trusted, SkuKey("K-7", "EU")), POLICY))
    propose(trusted, "pause")
    case = case_of(trusted)
    assert obstacles(case, POLICY) == ("A restriction is proposed and awaits approval.",)
    listing = replace(case.dossier.listing, responsible_person=None)
    incident = case_of(trusted, SkuKey("K-65", "EU")).dossier.incidents[0]
    for severity, expected in ((1, 0), (2, 1), (None, 1)):
        noticed = replace(case.dossier, listing=listing, incidents=(replace(incident, injury_severity=severity),))
        missing = obstacles(replace(case, dossier=noticed), POLICY)
        assert sum("notice of a danger" in each for each in missing) == expected
        assert "The listing names no responsible person." in missing
    with pytest.raises(UserError, match="published by the role officer or admin"):
        TrustCodes(trusted.engine).issue(case, Signature(Officer("Ana", "analyst", "k-ana"), SHOP_NOW))


@pytest.mark.parametrize("disposition", ["pause", "suspend"])
def test_a_proposal_ends_a_summary_for_good(trusted: AppContext, disposition: str) -> None:
    """Of the SKU, or of its supplier; declined, it does not come back."""
    code = published(trusted)
    if disposition == "suspend":  # it rests on a failed test of a neighbour of the same supplier
        hand_in(trusted, result("K-31", test_id="N-fail", result="fail", severity="critical", hazard="cord"))
    key = KEY if disposition == "pause" else SkuKey("K-31", "EU")
    propose(trusted, disposition, key)
    answer = said_of(trusted, code.code)
    assert (answer.state, answer.changed_on) == (TrustState.WITHDRAWN, SHOP_NOW.date())
    stored = TrustCodes(trusted.engine).find(code.code)
    assert stored is not None
    assert stored.withdrawn_at is not None
    rows = [row for row in audit_rows(trusted.engine) if row.action == "withdraw_trust"]
    assert [(row.actor, row.subject) for row in rows] == [("touchstone", "K-19 EU")]
    said_of(trusted, code.code)
    assert len([row for row in audit_rows(trusted.engine) if row.action == "withdraw_trust"]) == 1


def test_a_recall_is_said_with_its_hazard_unless_an_appeal_is_open(trusted: AppContext) -> None:
    """The word of a failure under appeal appears nowhere."""
    code = published(trusted)
    hand_in(trusted, result(test_id="N-2", result="fail", severity="critical", hazard="small_parts"))
    decision = approve(trusted, propose(trusted, "recall"))
    answer = said_of(trusted, code.code)
    assert (answer.state, answer.hazard) == (TrustState.RECALLED, hazard_phrase("small_parts"))
    terms = decision_policy_in_force(LATER.date())
    file_appeal(trusted.engine, decision, "The report is of another product.", Signature(BERND, LATER), terms)
    answer = said_of(trusted, code.code)
    assert (answer.state, answer.hazard) == (TrustState.RECALLED, None)


@pytest.mark.parametrize("changes", [
    {"test_id": "N-2", "result": "fail", "severity": "critical", "hazard": "cord"},
    {"version": 2, "status": "amended", "result": "fail", "severity": "minor", "hazard": "cord"},
    {"version": 2, "status": "entered_in_error", "result": "inconclusive"},
])  # fmt: skip
def test_a_result_ends_a_summary_at_once(trusted: AppContext, changes: dict[str, Any]) -> None:
    """Another test that failed, and the report itself amended or withdrawn; no night is needed."""
    code = published(trusted)
    hand_in(trusted, result(**changes))
    assert said_of(trusted, code.code).state is TrustState.WITHDRAWN


def test_a_document_that_was_denied_ends_a_summary_at_once(
    trusted: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shop has no lake to look its SKUs up in."""
    monkeypatch.setattr("data.handed_in_rows.unknown_references", lambda *_: [()])
    code = published(trusted)
    row = {"certificate_id": "C-new", "supplier_id": "S-3", "happened_on": DAY - timedelta(days=2),
           "known_on": DAY - timedelta(days=1), "status": "denied", "sku_id": "K-19", "scheme": "REACH"}  # fmt: skip
    sender = RowSender("Anna", "k-anna", SHOP_NOW)
    receipt = accept_rows(trusted.engine, trusted.settings.workspace, HandIn(CERTIFICATES, [row], sender))
    assert receipt.count("new") == 1, receipt
    assert said_of(trusted, code.code).state is TrustState.WITHDRAWN


def test_a_passed_result_of_another_test_changes_nothing(trusted: AppContext) -> None:
    code = published(trusted)
    hand_in(trusted, result(test_id="N-3"))
    assert said_of(trusted, code.code).state is TrustState.PASSED


def test_it_expires_by_itself(trusted: AppContext) -> None:
    """It stands on its last day, in UTC, and not on the next."""
    code, register = published(trusted), register_of(trusted)
    last = SHOP_NOW.replace(hour=23, minute=59) + (code.expiry - SHOP_NOW.date())
    states = [register.find(code.code, moment) for moment in (last, last + timedelta(minutes=1))]
    assert [each.state for each in states if each] == [TrustState.PASSED, TrustState.EXPIRED]


def test_a_new_code_is_known_at_once_to_a_worker_that_read_a_moment_ago(trusted: AppContext) -> None:
    """It may stand on a page of a shop already; nobody is told that it was not issued."""
    register = register_of(trusted)
    register.refresh(SHOP_NOW)
    answer = register.find(published(trusted).code, SHOP_NOW)
    assert answer is not None
    assert answer.state is TrustState.PASSED


def test_withdrawals_are_read_after_some_seconds_and_not_trusted_for_long(trusted: AppContext) -> None:
    """Between two readings the database is left alone; where it cannot be read for too long, nothing is said."""
    clock = Clock()
    register = TrustRegister(trusted.engine, trusted.settings.workspace, clock)
    code = published(trusted)
    assert register.find(code.code, SHOP_NOW) is not None
    TrustCodes(trusted.engine).withdraw(code.code, Signature(ANNA, LATER), "as an example")
    clock.seconds = POLICY.reread_seconds - 0.1
    assert (answer := register.find(code.code, LATER)) is not None
    assert answer.state is TrustState.PASSED
    clock.seconds = POLICY.reread_seconds
    assert (answer := register.find(code.code, LATER)) is not None
    assert answer.state is TrustState.WITHDRAWN
    trusted.engine.dispose()
    database = Path(str(trusted.engine.url.database))
    database.rename(database.with_suffix(".gone"))
    clock.seconds += POLICY.trusted_seconds - 0.1
    assert register.find(code.code, LATER) is not None
    clock.seconds += 0.1
    with pytest.raises(UnavailableError, match="cannot be checked right now"):
        register.find(code.code, LATER)


def test_a_publication_holds_the_codes_and_changes_since_come_from_the_database(trusted: AppContext) -> None:
    """A worker says the same with the table and without; a later code is found, one that fell since has not passed."""
    workspace = trusted.settings.workspace
    first = published(trusted)
    publish_trust(trusted.engine, workspace, SHOP_NOW)
    table = open_trust_table(workspace, published_name(workspace))
    try:
        assert table is not None
        assert (len(table), table.find(first.code)) == (1, first)
        second = published(trusted, "K-31")
        register = register_of(trusted)
        states = [answer.state for code in (first, second) if (answer := register.find(code.code, SHOP_NOW))]
        assert states == [TrustState.PASSED] * 2
        TrustCodes(trusted.engine).withdraw(first.code, Signature(ANNA, LATER), "as an example")
        assert said_of(trusted, first.code).state is TrustState.WITHDRAWN
        assert register_of(trusted).find("0000-0000-0000-00000", SHOP_NOW) is None
        ended, length = register_of(trusted).ended_positions(SHOP_NOW)
        assert (ended.tolist(), length) == ([first.status_index], POLICY.least_positions)
    finally:
        shutil.rmtree(trust_folder(workspace, published_name(workspace) or ""))


def test_a_shoppers_notice_keeps_from_publishing_and_takes_nothing_down(trusted: AppContext) -> None:
    """An officer decides first; and anybody could report the product of a competitor."""
    code = published(trusted)
    for severity, expected in ((1, False), (3, True)):
        report = NoticeReport("It broke.", "Sharp.", "In the shop.", "cut", severity, None, None)
        subject, terms = NoticeSubject(code.code, KEY), notice_policy_in_force(DAY)
        take_notice(trusted.engine, NoticeForm(subject, report, f"token-{severity}"), terms, SHOP_NOW)
        assert any("A shopper reported" in each for each in obstacles(case_of(trusted), POLICY)) == expected
    assert withdraw_ineligible(trusted.engine, trusted.store, LATER) == []
    assert said_of(trusted, code.code).state is TrustState.PASSED


def test_another_product_under_the_same_listing_loses_it(trusted: AppContext) -> None:
    """At the next scoring, as does one that is not eligible any more by what the scoring knows."""
    code = published(trusted)
    assert withdraw_ineligible(trusted.engine, trusted.store, LATER) == []
    with write_transaction(trusted.engine) as connection:
        connection.execute(TRUST_CODES.update().values(product_digest="of another product"))
    (fallen,) = withdraw_ineligible(trusted.engine, trusted.store, LATER)
    assert (fallen.code, fallen.why) == (code.code, "the listing is of another product now")
