"""Generated facts of letters, and what must never stand in one."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from serving.decisions.case_origin import CaseOrigin, origin_of_test
from serving.decisions.ground_rows import GroundDocument, GroundHold, GroundNotice, GroundTest
from serving.decisions.legal_grounds import DENIED_CERTIFICATE, FAILED_TEST, ORDER
from serving.decisions.policy import decision_policy_in_force
from serving.letters.facts import (
    STATEMENTS,
    ActionFacts,
    AppealFacts,
    DecisionEnd,
    DecisionEvidence,
    DecisionFacts,
    FurtherFailure,
    LetterFacts,
    LetterKind,
    LetterProduct,
    OtherRestriction,
)
from serving.letters.policy import letter_policy_in_force
from serving.letters.restriction_letters import MEASURES
from serving.letters.sentences import LetterTerms

DAY = date(2026, 11, 30)
LANGUAGES = letter_policy_in_force(DAY).languages
WIDE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
IDS = st.from_regex(r"[A-Z]-[0-9]{1,6}", fullmatch=True)
DAYS = st.dates(date(2024, 1, 1), DAY)
MARKETS = st.sampled_from(["EU", "DE", "EEA", "US", "UK", "JP"])


def terms(language: str = "en", day: date = DAY) -> LetterTerms:
    """The policies in force for a letter in a language."""
    return LetterTerms(letter_policy_in_force(day), decision_policy_in_force(day), day, language)


def lab_tests(result: str = "fail") -> st.SearchStrategy[GroundTest]:
    """Independent tests with this result."""
    return st.builds(
        GroundTest, IDS, DAYS, DAYS, st.just(result),
        st.sampled_from(["warehouse", "mystery_shopper", "customs", "complaint"]),
        st.sampled_from([None, "random", "model", "rule", "mandatory", "follow_up"]),
        st.none() | st.sampled_from(["Charger safety set", "EN 71-1/2/3"]), st.sampled_from([None, "LAB-01", "LAB-99"]),
        st.sampled_from([None, "minor", "major", "critical"]) if result == "fail" else st.none(),
        st.sampled_from([None, "fire", "no_protection", "something_new"]) if result == "fail" else st.none(),
    )  # fmt: skip


@st.composite
def evidence(draw: st.DrawFn, disposition: str) -> DecisionEvidence:
    """What a decision may rest on: a pause on a notice or on nothing too."""
    kinds: list[str | None] = [FAILED_TEST, DENIED_CERTIFICATE, ORDER]
    kind = draw(st.sampled_from([*kinds, None, None] if disposition == "pause" else kinds))
    if kind is not None and draw(st.booleans()) and draw(st.booleans()):
        return DecisionEvidence(kind, recorded="A sample failed an independent test on 1 June 2026.")
    if kind == FAILED_TEST:
        failures = st.lists(
            st.builds(FurtherFailure, IDS, DAYS, st.none() | IDS, st.sampled_from([None, "major"])), max_size=2
        )
        further = draw(failures.map(tuple)) if disposition == "suspend" else ()
        return DecisionEvidence(kind, test=draw(lab_tests()), further=further)
    if kind == DENIED_CERTIFICATE:
        statuses = st.sampled_from(["denied", "withdrawn", "out_of_scope"])
        words = st.none() | WIDE
        return DecisionEvidence(kind, document=draw(st.builds(GroundDocument, IDS, DAYS, statuses, words, words)))
    if kind == ORDER:
        hold = st.builds(GroundHold, IDS, DAYS, WIDE, st.sampled_from([None, "seized", "order"]), st.booleans())
        return DecisionEvidence(kind, hold=draw(hold))
    notice = st.builds(GroundNotice, IDS, DAYS, st.sampled_from([None, "fire", "burn"]))
    return DecisionEvidence(None, notice=draw(st.none() | notice))


@st.composite
def ends(draw: st.DrawFn, since: date) -> DecisionEnd | None:
    """How a decision stopped applying, if it did."""
    how = draw(st.sampled_from([None, None, "reversed", "changed", "ended"]))
    if how is None:
        return None
    day = since + timedelta(days=draw(st.integers(0, 60)))
    if how != "changed":
        return DecisionEnd(how, day)
    following = draw(st.sampled_from([*MEASURES, "request_documents", None]))
    last = day + timedelta(days=7) if following == "pause" else None
    return DecisionEnd(how, day, following, "d-next" if following else None, last)


@st.composite
def decisions(draw: st.DrawFn, disposition: str) -> DecisionFacts:
    """A decision of a disposition: its origin is that of its test where it rests on one."""
    found, since = draw(evidence(disposition)), draw(DAYS)
    origin = origin_of_test(found.test) if found.test else draw(st.sampled_from(CaseOrigin))
    reasons = ("The listing names no responsible person.",) if origin.found_by_model and draw(st.booleans()) else ()
    code = draw(
        st.sampled_from(["failed_independent_test", "authority_order", "serious_hazard_reported", "a_new_code"])
    )
    return DecisionFacts(
        f"d-{draw(IDS)}", disposition, code, since, since + timedelta(days=7) if disposition == "pause" else None,
        draw(st.booleans()), origin, found, reasons, draw(ends(since)),
    )  # fmt: skip


@st.composite
def letters(draw: st.DrawFn, kinds: tuple[LetterKind, ...] = tuple(LetterKind)) -> LetterFacts:
    """The facts of a letter of any kind."""
    kind = draw(st.sampled_from(kinds))
    product = LetterProduct(draw(IDS), draw(MARKETS), draw(st.none() | WIDE))
    others = draw(st.lists(st.builds(OtherRestriction, IDS.map("d-{}".format), DAYS), max_size=2).map(tuple))
    values: dict[str, Any] = {
        "product": product,
        "standards": draw(st.sampled_from([(), ("EN 62368-1:2020, 5.4",), ("EN 71-1", "EN 71-2")])),
    }
    if kind in (LetterKind.TEST_FAILED, LetterKind.TEST_PASSED):
        values |= {"test": draw(lab_tests(kind.value.removeprefix("test_")[:4])), "still_restricted": others}
    elif kind == LetterKind.CORRECTIVE_ACTION_DUE:
        values = {"action": draw(st.builds(ActionFacts, IDS, DAYS, DAYS))}
    elif kind == LetterKind.DOCUMENTS_REQUESTED:
        values |= {"decision": draw(decisions(kind.value)), "still_restricted": others}
    else:
        names = {LetterKind.SUSPENSION: ["suspend"], LetterKind.PAUSE_ENDED: ["pause"]}.get(kind, list(MEASURES))
        decision = draw(decisions(draw(st.sampled_from(names))))
        if kind == LetterKind.PAUSE_ENDED and decision.end is None:
            decision = replace(decision, end=DecisionEnd("ended", decision.ends_on or decision.since))
        values |= {"decision": decision, "still_restricted": others if decision.ended else ()}
    if kind in (LetterKind.APPEAL_RECEIVED, LetterKind.APPEAL_ANSWERED):
        values["appeal"] = draw(appeals(kind == LetterKind.APPEAL_ANSWERED))
    return LetterFacts(kind, "l-0123456789ab", draw(IDS), **values)


def appeals(answered: bool) -> st.SearchStrategy[AppealFacts]:
    """An appeal, answered or open."""
    if not answered:
        return st.builds(AppealFacts, DAYS, DAYS, st.none(), st.none(), st.none())
    outcomes = st.sampled_from(["upheld", "modified", "reversed"])
    return st.builds(AppealFacts, DAYS, DAYS, outcomes, DAYS, st.just("The sample was of the right batch."))


def without_text_of_others(facts: LetterFacts) -> LetterFacts:
    """The facts with plain names in place of what others wrote, whose words could look like anything."""
    product = replace(facts.product, title=None) if facts.product else None
    if facts.decision is None:
        return replace(facts, product=product)
    found = facts.decision.evidence
    hold = replace(found.hold, authority="UK OPSS") if found.hold else None
    document = replace(found.document, issuer=None, scheme=None) if found.document else None
    decision = replace(facts.decision, evidence=replace(found, hold=hold, document=document))
    return replace(facts, product=product, decision=decision)


def statements() -> st.SearchStrategy[LetterFacts]:
    """The facts of statements of reasons and suspensions."""
    return letters(STATEMENTS)
