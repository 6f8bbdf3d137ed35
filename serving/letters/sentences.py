"""Sentences that several kinds of letters share: the test, the ground, the origin, the rights of the seller."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from serving.decisions.case_origin import CaseOrigin
from serving.decisions.ground_rows import GroundDocument, GroundHold, GroundTest
from serving.decisions.policy import DecisionPolicy
from serving.dsa.territories import EUROPE
from serving.letters.facts import DecisionFacts, FurtherFailure, LetterFacts, OtherRestriction
from serving.letters.policy import LetterPolicy, LetterSignature
from serving.letters.words import Term, Value, WebAddress, words_of

BETWEEN = "; "
"""Between standards, whose names may have commas."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of a letter: the key of its words and their values; an `item` is a line of a list."""

    key: str
    values: Mapping[str, Value]
    item: bool = False


@dataclass(frozen=True)
class AnswerPage:
    """The page on which the seller answers a letter, and the last day on which it opens."""

    address: WebAddress
    until: date


@dataclass(frozen=True)
class LetterTerms:
    """The policies that a letter follows, the day it is written on, and its language.

    `answer_page` is the seller's page whose address it carries, None in a draft.
    """

    letters: LetterPolicy
    decisions: DecisionPolicy
    day: date
    language: str
    answer_page: AnswerPage | None = None

    @property
    def signature(self) -> LetterSignature:
        """The signature in the language of the letter."""
        return self.letters.signature(self.language)


def sentence(key: str, **values: Value) -> Sentence:
    """A sentence of the words `key` with these values."""
    return Sentence(key, values)


def _item(key: str, **values: Value) -> Sentence:
    return Sentence(key, values, item=True)


def answer_page_sentences(terms: LetterTerms) -> Iterator[Sentence]:
    """Where the seller can answer, the address on a line of its own; nothing where the letter carries none."""
    page = terms.answer_page
    if page is not None:
        yield sentence("to_do.answer_page", until=page.until)
        yield _item("quote.address", address=page.address)


def effects(decision: str, terms: LetterTerms) -> Iterator[Sentence]:
    """What happens to stock and payments; nothing for a decision of which the policy does not tell it."""
    effect = terms.letters.effect(decision, terms.language)
    if effect is not None:
        yield sentence("quote.text", text=effect.stock)
        yield sentence("quote.text", text=effect.payments)


def test_sentences(test: GroundTest, standards: tuple[str, ...], terms: LetterTerms) -> Iterator[Sentence]:
    """Report, laboratory, package, sample and finding of a test, each where it is known."""
    yield _item("test.report", test_id=test.test_id, reported=test.known_on)
    laboratory = terms.letters.laboratory(test.lab_id)
    if laboratory is not None:
        yield _item("test.lab_accredited", lab=laboratory.name, accreditation=laboratory.accreditation)
    elif test.lab_id is not None:
        yield _item("test.lab", lab=test.lab_id)
    if test.package is not None and standards:
        yield _item("test.standard", package=test.package, standard=BETWEEN.join(standards))
    elif test.package is not None:
        yield _item("test.package", package=test.package)
    yield _item("test.sample", sample=Term("sample", test.origin), sampled=test.happened_on)
    if test.result == "fail" and test.hazard is not None:
        hazard = Term("hazard", test.hazard)
        if test.severity is None:
            yield _item("test.finding", hazard=hazard)
        else:
            yield _item("test.finding_graded", hazard=hazard, severity=Term("severity", test.severity))


def failed_test_reasons(test: GroundTest, standards: tuple[str, ...], market: str) -> Iterator[Sentence]:
    """The rule that a failed test breaks, and what the laboratory found."""
    yield sentence("why.only_safe_europe" if market in EUROPE else "why.only_safe")
    if standards:
        key = "why.does_not_meet_standard" if len(standards) == 1 else "why.does_not_meet_standards"
        yield sentence(key, standard=BETWEEN.join(standards))
    elif test.package is not None:
        yield sentence("why.does_not_meet_package", package=test.package)
    else:
        yield sentence("why.does_not_meet")


def ground_sentences(facts: LetterFacts, decision: DecisionFacts) -> Iterator[Sentence]:
    """What a decision rests on: the row of its ground, the notice, else the terms for sellers."""
    evidence, market = decision.evidence, facts.product.market if facts.product else ""
    if evidence.test is not None:
        yield from failed_test_reasons(evidence.test, facts.standards, market)
    elif evidence.hold is not None:
        yield _order_sentence(evidence.hold)
        yield sentence("why.follow_orders_europe" if market in EUROPE else "why.follow_orders")
    elif evidence.document is not None:
        yield from _document_sentences(evidence.document)
    elif evidence.recorded is not None:
        yield sentence("why.recorded_fact", fact=evidence.recorded)
    else:
        yield from _precaution(decision)


def _order_sentence(hold: GroundHold) -> Sentence:
    known = hold.kind is not None and words_of("en").has(f"order.{hold.kind}")
    action = Term("order", hold.kind if known and hold.kind else "other")
    key = "why.order_product" if hold.of_product else "why.order_supplier"
    return sentence(key, authority=hold.authority, action=action, known=hold.known_on)


def further_failures(failures: tuple[FurtherFailure, ...]) -> Iterator[Sentence]:
    """The other failed tests that a suspension rests on, as a list."""
    if failures:
        yield sentence("test.further_lead")
    for each in failures:
        values: dict[str, Value] = {"test_id": each.test_id, "reported": each.known_on, "sku": each.sku_id or "-"}
        if each.severity is None:
            yield Sentence("test.further", values, item=True)
        else:
            graded: dict[str, Value] = {**values, "severity": Term("severity", each.severity)}
            yield Sentence("test.further_graded", graded, item=True)


def _document_sentences(document: GroundDocument) -> Iterator[Sentence]:
    issuer = document.issuer or Term("why", "issuer_unnamed")
    yield sentence(
        f"why.document_{document.status}", issuer=issuer, document=document.number or document.document_id,
        scheme=document.scheme or "-", known=document.known_on,
    )  # fmt: skip
    yield sentence("why.document_needed")


def _precaution(decision: DecisionFacts) -> Iterator[Sentence]:
    """The reasons of a decision without a ground: its notice, and the terms where it is a pause."""
    notice = decision.evidence.notice
    if notice is not None and notice.hazard is not None:
        yield sentence("why.notice_hazard", known=notice.known_on, hazard=Term("hazard", notice.hazard))
    elif notice is not None:
        yield sentence("why.notice", known=notice.known_on)
    if decision.disposition == "pause":
        yield sentence("why.precaution")


def origin_sentences(origin: CaseOrigin, reasons: tuple[str, ...] = ()) -> Iterator[Sentence]:
    """How the product came to attention; where a model did it, what the seller may see of what it took into account."""
    yield sentence(f"origin.{origin.value}")
    if origin.found_by_model and reasons:
        yield sentence("chosen.pointed_out")
        yield from (Sentence("chosen.reason", {"reason": reason}, item=True) for reason in reasons)


def still_restricted(others: tuple[OtherRestriction, ...]) -> Iterator[Sentence]:
    """The other decisions that keep the product restricted."""
    for other in others:
        yield sentence("happened.still_restricted", decision=other.decision_id, since=other.since)


def courts(market: str) -> Iterator[Sentence]:
    """Where a seller may turn to besides the marketplace."""
    if market in EUROPE:
        yield sentence("rights.out_of_court")
    yield sentence("rights.court")
