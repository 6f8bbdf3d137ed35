"""Nine kinds, two languages: five parts in order, nothing of others, no prediction, nothing that does not stand."""

import re
import unicodedata
from dataclasses import replace
from datetime import date

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from serving.decisions.case_origin import CaseOrigin, origin_of_test
from serving.decisions.ground_rows import GroundNotice, GroundTest
from serving.letters.facts import (
    ActionFacts,
    AppealFacts,
    DecisionEnd,
    DecisionEvidence,
    DecisionFacts,
    LetterFacts,
    LetterKind,
    LetterProduct,
    OtherRestriction,
)
from serving.letters.parts import PARTS
from serving.letters.render import WIDTH, content_digest, html_document, render
from serving.letters.words import words_of
from tests.serving.letters.cases import DAY, LANGUAGES, letters, terms, without_text_of_others

PRODUCT = LetterProduct("K-1", "EU", "USB charger 20 W")
FAILED = GroundTest("T-9b", date(2026, 6, 1), date(2026, 6, 15), "fail", "warehouse", "random", "Charger safety set",
                    "LAB-01", "minor", "fire")  # fmt: skip
REMOVAL = DecisionFacts(
    "d-1", "remove", "failed_independent_test", DAY, None, True, CaseOrigin.RANDOM_TEST,
    DecisionEvidence("failed_independent_test", test=FAILED),
)  # fmt: skip
STATEMENT = LetterFacts(LetterKind.STATEMENT_OF_REASONS, "l-1", "S-1", PRODUCT, REMOVAL)


def told(facts: LetterFacts, language: str = "en", day: date = DAY) -> str:
    """The plain text of a letter on one line."""
    return " ".join(render(facts, terms(language, day)).text.split())


@given(letters(), st.sampled_from(LANGUAGES))
def test_every_letter_has_the_five_parts_in_order(facts: LetterFacts, language: str) -> None:
    """As headings of the HTML and as lines of the text; each of them says something."""
    rendered, words = render(facts, terms(language)), words_of(language)
    chosen = "chosen" if facts.product else "chosen_supplier"
    titles = [words.text(f"part.{chosen if part == 'chosen' else part}", {}) for part in PARTS]
    soup = BeautifulSoup(rendered.html, "html.parser")
    assert [each.get_text() for each in soup.select("section > h3")] == titles
    assert all(section.select("p, li") for section in soup.select("section"))
    lines = rendered.text.splitlines()
    assert [line for line in lines if line in titles] == titles
    assert soup.article is not None
    assert soup.article["lang"] == language


@given(letters(), st.sampled_from(LANGUAGES))
def test_no_line_of_the_text_is_too_long(facts: LetterFacts, language: str) -> None:
    """72 columns, in which a wide character takes two, but for a word that is longer."""
    for line in render(facts, terms(language)).text.splitlines():
        columns = sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in line)
        assert columns <= WIDTH + 2 or " " not in line.strip()


FORBIDDEN = re.compile(r"\d\s?%|\bpercent|\bscore|\bprobab|\bpredict|\blog-odds|\bSHAP|\bNo finding", re.IGNORECASE)


@given(letters())
def test_no_letter_tells_a_prediction(facts: LetterFacts) -> None:
    """Of a model it says at most that it suggested a check; where it did not, it names no program at all."""
    text = told(without_text_of_others(facts))
    assert not FORBIDDEN.search(text)
    origin = facts.decision.origin if facts.decision else origin_of_test(facts.test) if facts.test else None
    assert ("computer program" in text) == (origin is CaseOrigin.MODEL)


ID = re.compile(r"\b(?:d-)?[A-Z]-[0-9]{1,6}\b|\bd-next\b|\bl-0123456789ab\b")


def ids_of_its_case(facts: LetterFacts) -> set[str]:
    """The ids that a letter may name."""
    ids = {facts.letter_id, facts.supplier_id, *(other.decision_id for other in facts.still_restricted)}
    for each in (facts.product and facts.product.sku_id, facts.test and facts.test.test_id,
                 facts.action and facts.action.action_id):  # fmt: skip
        ids |= {each} if each else set()
    if facts.decision is not None:
        found, end = facts.decision.evidence, facts.decision.end
        ids |= {facts.decision.decision_id}
        ids |= {name for each in found.further for name in (each.test_id, each.sku_id) if name}
        for row in (found.test and found.test.test_id, found.document and found.document.document_id,
                    end and end.decision_id):  # fmt: skip
            ids |= {row} if row else set()
    return ids


@given(letters(), st.sampled_from(LANGUAGES))
def test_only_rows_of_its_own_case_appear(facts: LetterFacts, language: str) -> None:
    """Every id in a letter is one of its facts, and so no other seller, product, test or decision is named."""
    text = render(without_text_of_others(facts), terms(language)).text
    assert set(ID.findall(text)) <= ids_of_its_case(facts)


@given(letters())
def test_the_same_facts_give_the_same_letter_in_every_language(facts: LetterFacts) -> None:
    """The same sentences; rendering twice gives the same text, and its digest does not know the day."""
    assert render(facts, terms()) == render(facts, terms())
    assert content_digest(facts, terms()) == content_digest(facts, terms(day=date(2026, 12, 24)))


def test_a_statement_says_what_the_law_asks_for() -> None:
    text = told(STATEMENT)
    for part in (
        "On 30 November 2026 we removed your listing in the EU.",
        "The laboratory issued report T-9b on 15 June 2026.",
        "Sample Laboratory 1, accredited to ISO/IEC 17025 (no. EXAMPLE-17025-01)",
        "The sample was taken from our warehouse on 1 June 2026.",
        "Finding: fire hazard (minor failure).",
        "You may only sell safe products (General Product Safety Regulation (EU) 2023/988, GPSR, art. 5).",
        "This product was drawn at random for a test.",
        "Correct the product and send a test report for the corrected product from a laboratory accredited to ISO/IEC",
        "How this product came to our attention",
        "You may appeal free of charge until 30 May 2027",
        "we pay for the test if the counter-sample passes",
        "out-of-court dispute settlement",
        "You may go to court.",
        "Your stock of this product is not shipped.",
        "one person proposed it and another approved it",
        "From: Example Marketplace", "To: Supplier S-1", "Our reference: l-1", "Decision: d-1", "Test report: T-9b",
    ):  # fmt: skip
        assert part in text, part
    assert "computer" not in text


def test_the_standard_is_named_where_it_is_known() -> None:
    text = told(replace(STATEMENT, standards=("EN 62368-1",)))
    assert "A laboratory found that this product does not meet EN 62368-1." in text
    assert "Test: Charger safety set, according to EN 62368-1." in text


def test_a_product_tested_by_several_standards_is_not_said_to_fail_each_of_them() -> None:
    text = told(replace(STATEMENT, standards=("EN 71-1", "EN 71-2")))
    assert "does not meet all of the standards that it was tested by: EN 71-1; EN 71-2." in text
    assert "does not meet EN 71-1" not in text


def test_a_laboratory_without_accreditation_is_not_said_to_have_one() -> None:
    evidence = replace(REMOVAL.evidence, test=replace(FAILED, lab_id="LAB-77"))
    text = told(replace(STATEMENT, decision=replace(REMOVAL, evidence=evidence)))
    assert "Laboratory: LAB-77." in text
    assert "LAB-77, accredited" not in text


def test_a_pause_on_a_notice_names_the_notice_and_no_model() -> None:
    pause = replace(
        REMOVAL, disposition="pause", code="serious_hazard_reported", ends_on=date(2026, 12, 7),
        origin=CaseOrigin.OTHER_NOTIFICATION,
        evidence=DecisionEvidence(None, notice=GroundNotice("I-1", date(2026, 11, 27), "burn")),
    )  # fmt: skip
    text = told(replace(STATEMENT, decision=pause))
    assert "we paused your listing in the EU until 7 December 2026" in text
    assert "We received a report on 27 November 2026 that this product may be dangerous: burn hazard." in text
    assert "We received a report of harm, or of a near miss, with this product." in text
    assert "I-1" not in text
    assert "computer" not in text


@pytest.mark.parametrize(
    ("end", "says", "not_said"),
    [
        (DecisionEnd("reversed", date(2026, 12, 3)), "On 3 December 2026 we reversed this decision.", "You may appeal"),
        (DecisionEnd("changed", date(2026, 12, 3), "pause", "d-2", date(2026, 12, 10)),
         "On 3 December 2026 we changed this decision. Your listing is now paused until 10 December 2026.",
         "Your stock of this product is not shipped."),
        (DecisionEnd("changed", date(2026, 12, 3), "request_documents", "d-2"), "The new decision is d-2.", "is now"),
    ],
)  # fmt: skip
def test_a_decision_that_applies_no_more_is_not_told_as_if_it_did(end: DecisionEnd, says: str, not_said: str) -> None:
    text = told(replace(STATEMENT, decision=replace(REMOVAL, end=end)), day=date(2026, 12, 4))
    assert says in text
    assert not_said not in text


def test_what_else_restricts_the_product_is_named_and_nobody_is_told_to_sell() -> None:
    ended = replace(REMOVAL, end=DecisionEnd("reversed", DAY))
    appeal = AppealFacts(date(2026, 11, 2), date(2026, 11, 16), "reversed", DAY, "The report was of another batch.")
    answered = LetterFacts(LetterKind.APPEAL_ANSWERED, "l-1", "S-1", PRODUCT, ended, appeal=appeal)
    assert "You may offer the product again." in told(answered)
    restricted = told(replace(answered, still_restricted=(OtherRestriction("d-7", date(2026, 10, 1)),)))
    assert "Your listing stays restricted because of our decision d-7 of 1 October 2026." in restricted
    assert "You may offer the product again." not in restricted


def test_a_seller_elsewhere_is_not_told_of_european_law() -> None:
    for market, european in (("DE", True), ("EU", True), ("US", False), ("UK", False)):
        text = told(replace(STATEMENT, product=replace(PRODUCT, market=market)))
        assert ("Digital Services Act" in text) == european
        assert ("GPSR" in text) == european


def test_a_letter_before_a_decision_gives_working_days_to_answer() -> None:
    text = told(LetterFacts(LetterKind.TEST_FAILED, "l-1", "S-1", PRODUCT, test=FAILED))
    assert "We have not taken a decision on this result yet." in text
    assert "You may answer until 7 December 2026" in text
    assert "People will decide what follows from the result." in text


def test_a_corrective_action_names_its_due_day() -> None:
    action = ActionFacts("R-1", date(2026, 10, 1), date(2026, 12, 14))
    text = told(LetterFacts(LetterKind.CORRECTIVE_ACTION_DUE, "l-1", "S-1", action=action))
    assert "Complete the corrective action by 14 December 2026" in text
    assert "How this came to our attention" in text


def test_a_disposition_without_words_is_refused() -> None:
    with pytest.raises(UserError, match=r"No letter is written for 'fine'. Add its words"):
        render(replace(STATEMENT, decision=replace(REMOVAL, disposition="fine")), terms())


def test_a_whole_document_has_its_language() -> None:
    rendered = render(STATEMENT, terms("zh-Hans"))
    soup = BeautifulSoup(html_document(rendered.language, rendered.subject, rendered.html), "html.parser")
    assert soup.html is not None
    assert soup.html["lang"] == "zh-Hans"
    assert soup.find("title").get_text() == rendered.subject  # type: ignore[union-attr]
    assert soup.find("article") is not None
