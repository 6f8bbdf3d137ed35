"""A score alone never removes; what is missing is said."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from data.policy import POLICY_FOLDER
from serving.decisions.blind_assessment import Case, draw_for_estimate
from serving.decisions.deadlines import add_months, add_working_days, ground_deadline, notice_deadline
from serving.decisions.legal_grounds import Ground
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.rules import Officer, agreement, check_proposal, missing_ground
from serving.dossiers.records import Incident
from tests.serving.decisions.cases import ANNA, DAY, DENIED, FAILED, ORDER, POLICY, SCHEDULER, proposal

FACTS = st.sampled_from([FAILED, DENIED, ORDER])
DAYS = st.dates(date(2020, 1, 1), date(2035, 1, 1))


@given(
    disposition=st.sampled_from(sorted(POLICY.dispositions)),
    code=st.sampled_from(sorted(POLICY.codes)),
)
def test_without_a_fact_nothing_is_removed_suspended_or_recalled(disposition: str, code: str) -> None:
    """Whatever the reason given; the rule does not even see the score."""
    try:
        check_proposal(proposal(disposition, code), ANNA, (), POLICY, DAY)
    except UserError:
        return
    assert disposition not in ("remove", "suspend", "recall")


@given(facts=st.lists(FACTS, max_size=3), disposition=st.sampled_from(["remove", "suspend", "recall"]))
def test_the_form_and_the_function_agree_on_what_is_missing(facts: list[Ground], disposition: str) -> None:
    """What the form calls possible, some reason makes possible; what it calls impossible, none does."""
    kind = POLICY.disposition(disposition)
    outcomes = []
    for code in kind.codes:
        try:
            outcomes.append(check_proposal(proposal(disposition, code), ANNA, facts, POLICY, DAY) is not None)
        except UserError:
            outcomes.append(False)
    assert any(outcomes) == (missing_ground(kind, facts, DAY) is None)


def test_the_missing_fact_is_named() -> None:
    """An officer reads what to get."""
    with pytest.raises(
        UserError,
        match=r"A score alone cannot justify removal, suspension or recall\. You need a failed independent test",
    ):
        check_proposal(proposal("remove"), ANNA, (), POLICY, DAY)


def test_a_denied_certificate_carries_a_removal_and_no_recall() -> None:
    """A recall needs a failed test or an order."""
    fact = check_proposal(proposal("remove", "certificate_denied"), ANNA, [DENIED], POLICY, DAY)
    assert fact == DENIED
    with pytest.raises(UserError, match="A score alone cannot justify"):
        check_proposal(proposal("recall"), ANNA, [DENIED], POLICY, DAY)


def test_the_reason_has_to_fit_the_fact() -> None:
    """A failed test is no authority's order."""
    with pytest.raises(UserError, match="reason given is authority order, and no such fact"):
        check_proposal(proposal("remove", "authority_order"), ANNA, [FAILED], POLICY, DAY)


@pytest.mark.parametrize(("disposition", "officer", "message"), [
    ("remove", SCHEDULER, "for the role officer or admin; Sam signed in as scheduler"),
    ("order_test", Officer("Ann", "analyst", "k-9"), "Ann signed in as analyst"),
    ("burn", ANNA, "no decision 'burn'"),
])  # fmt: skip
def test_who_may_not_is_told_who_may(disposition: str, officer: Officer, message: str) -> None:
    code = "score_high"
    explained = proposal("order_test", code)
    with pytest.raises(UserError, match=message):
        check_proposal(type(explained)(disposition, code, explained.explanation), officer, [FAILED], POLICY, DAY)


@pytest.mark.parametrize("explanation", ["", "   bad   ", "x" * 2001])
def test_words_of_ones_own_are_asked_for(explanation: str) -> None:
    with pytest.raises(UserError, match=r"Explain in at (least 12|most 2,000) characters \(you wrote"):
        check_proposal(proposal("order_test", explanation=explanation), ANNA, (), POLICY, DAY)


def test_a_scheduler_orders_tests() -> None:
    assert check_proposal(proposal("order_test"), SCHEDULER, (), POLICY, DAY) is None


def test_agreement_follows_strength() -> None:
    """Gentler than the score asks, as it asks, or harder."""
    actions = ("none", "request_documents", "test", "priority_test")
    said = {
        (name, asked): agreement(POLICY.disposition(name), asked) for name in POLICY.dispositions for asked in actions
    }
    assert said["no_action", "test"] == "gentler"
    assert (
        said["order_test", "test"] == said["no_action", "none"] == said["order_test", "request_documents"] == "as_asked"
    )
    assert said["order_test", "none"] == said["remove", "priority_test"] == "harder"


@given(day=DAYS, days=st.integers(1, 10))
def test_working_days_are_counted_one_by_one(day: date, days: int) -> None:
    """The day found is a working day, and so many working days lie after the first."""
    found = add_working_days(day, days, POLICY.deadlines.holidays)
    between = [date.fromordinal(n) for n in range(day.toordinal() + 1, found.toordinal() + 1)]
    open_days = [d for d in between if d.weekday() < 5 and d not in POLICY.deadlines.holidays]
    assert len(open_days) == days
    assert open_days[-1] == found


def test_an_order_on_a_friday_is_due_on_tuesday() -> None:
    assert add_working_days(date(2026, 7, 3), 2) == date(2026, 7, 7)


def test_orders_and_failed_tests_start_clocks_by_their_kind_and_severity() -> None:
    """Two working days for an order; one, three or ten for a failed test, an unknown severity as a minor one."""
    order = ground_deadline(replace(ORDER, author="UK OPSS"), POLICY.deadlines)
    assert order is not None
    assert (order.on, order.row_id) == (date(2026, 7, 2), "H-1")
    assert order.why == "Order of UK OPSS received 30 June 2026: comply within 2 working days."
    days = {
        "critical": date(2026, 6, 2),
        "major": date(2026, 6, 4),
        "minor": date(2026, 6, 15),
        None: date(2026, 6, 15),
    }
    for severity, on in days.items():
        failed = ground_deadline(replace(FAILED, severity=severity), POLICY.deadlines)
        assert failed is not None
        assert failed.on == on
    assert ground_deadline(DENIED, POLICY.deadlines) is None


def test_a_notice_is_acted_on_within_three_working_days() -> None:
    notice = notice_deadline(Incident("I-1", "K-1", "EU", DAY, date(2026, 6, 26), None, None), POLICY.deadlines)
    assert (notice.on, notice.kind) == (date(2026, 7, 1), "notice")
    assert notice.why == "Notice received 26 June 2026: act within 3 working days."


MAJOR = [replace(FAILED, row_id=f"T-{number}", severity="major") for number in range(3)]


@pytest.mark.parametrize(("disposition", "grounds", "suffices"), [
    ("suspend", [replace(FAILED, severity="minor")], False),
    ("suspend", MAJOR[:1], False), ("suspend", MAJOR[:2], True),
    ("suspend", [*MAJOR[:1], DENIED], True), ("suspend", [ORDER], True),
    ("suspend", [replace(ORDER, sku_id="K-1")], False), ("suspend", [replace(ORDER, sku_id="K-1"), *MAJOR[:1]], True),
    ("remove", [replace(ORDER, sku_id="K-1")], True),
    ("suspend", [replace(each, since=date(2025, 6, 30)) for each in MAJOR], False),
    ("recall", [replace(FAILED, severity="minor")], False), ("recall", MAJOR[:1], True), ("remove", [FAILED], True),
    ("remove", [replace(FAILED, since=date(2024, 6, 30))], False),
])  # fmt: skip
def test_facts_have_weight(disposition: str, grounds: list[Ground], suffices: bool) -> None:
    """One minor failure suspends no supplier; an authority's order is enough by itself."""
    missing = missing_ground(POLICY.disposition(disposition), grounds, DAY)
    assert (missing is None) == suffices
    if disposition == "suspend" and not suffices:
        assert "2 facts (failed independent tests of at least major severity, refuted mandatory docum" in str(missing)
    if disposition == "recall" and not suffices:
        assert "needs a failed independent test of at least major severity of this product, known in" in str(missing)


def test_an_answer_to_an_authority_needs_its_order_and_a_reference() -> None:
    """It rests on the order, whatever the reason."""
    answer = replace(proposal("answer_authority"), reference="OPSS-2026-17")
    assert check_proposal(answer, ANNA, [FAILED, ORDER], POLICY, DAY) == ORDER
    with pytest.raises(UserError, match="needs the reference of the letter"):
        check_proposal(replace(answer, reference=" "), ANNA, [ORDER], POLICY, DAY)
    with pytest.raises(UserError, match="No open order of an authority is known"):
        check_proposal(answer, ANNA, [FAILED], POLICY, DAY)


@given(day=DAYS, months=st.integers(0, 30))
def test_months_later_is_never_a_month_too_far(day: date, months: int) -> None:
    later = add_months(day, months)
    assert (later.year - day.year) * 12 + later.month - day.month == months
    assert later.day <= day.day


def test_one_case_in_ten_is_drawn_and_always_the_same() -> None:
    """The share is the policy's, within four standard errors; asking again changes nothing."""
    every = [Case(f"K-{n}", market, DAY) for n in range(2_000) for market in ("EU", "US")]
    drawn = [draw_for_estimate(each, POLICY) for each in every]
    assert {each.probability for each in drawn} == {0.10}
    assert abs(sum(each.drawn for each in drawn) - 400) < 4 * (4000 * 0.1 * 0.9) ** 0.5
    assert drawn == [draw_for_estimate(each, POLICY) for each in every]


@pytest.mark.parametrize(("before", "after", "message"), [
    ('facts = { most_age_days = 730 }', '', "a fact, four eyes and a statement"),
    ("{ critical = 1, major", "{ major", r"clocks\.failed_test\.critical is missing"),
    ("pause_days = 7", "pause_days = 30", r"limits\.pause_days is 30; it must be a whole number from 1 to 7"),
    ("months = 6", "months = 3", r"appeals\.months is 3; it must be a whole number from 6"),
    ("share = 0.10", "share = 1.5", r"own_estimate\.share is 1\.5; it must be a number from 0 to 1"),
    ('codes = ["score_high"', 'codes = ["gut_feeling"', "'order_test' names .*gut_feeling"),
    ("[clocks]", "[watches]", "clocks is missing; it must be a table with"),
])  # fmt: skip
def test_a_policy_that_allows_too_much_is_refused(tmp_path: Path, before: str, after: str, message: str) -> None:
    """No edit of the file makes one pair of eyes, or a score, enough."""
    text = (POLICY_FOLDER / "decisions" / "2026-01-01.toml").read_text(encoding="utf-8")
    assert before in text
    (tmp_path / "decisions").mkdir()
    (tmp_path / "decisions" / "2026-01-01.toml").write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        decision_policy_in_force(DAY, tmp_path)
