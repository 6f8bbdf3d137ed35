"""A statement of reasons for the EU's transparency database (DSA Art. 24(5)); never with personal data.

Names, codes and limits are those of `statement_schema.json`, which says where they were read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from data.errors import UserError
from serving.decisions.case_origin import CaseOrigin
from serving.decisions.policy import GroundWording
from serving.dsa.territories import territory
from serving.letters.facts import DecisionFacts, LetterFacts
from serving.letters.parts import decision_of, market_of
from serving.letters.sentences import (
    LetterTerms,
    Sentence,
    ground_sentences,
    origin_sentences,
    sentence,
    test_sentences,
)
from serving.letters.words import words_of

MAX_FACTS, MAX_EXPLANATION, MAX_GROUND = 5000, 2000, 500
FIRST_CONTENT_DAY = date(2000, 1, 1)
_VISIBILITY = {
    "pause": "DECISION_VISIBILITY_CONTENT_DISABLED",
    "remove": "DECISION_VISIBILITY_CONTENT_REMOVED",
    "recall": "DECISION_VISIBILITY_CONTENT_REMOVED",
}
_NOTIFIED = "SOURCE_TYPE_OTHER_NOTIFICATION"
SOURCES: Mapping[CaseOrigin, str] = MappingProxyType(
    {
        CaseOrigin.ARTICLE_16_NOTICE: "SOURCE_ARTICLE_16",
        CaseOrigin.TRUSTED_FLAGGER: "SOURCE_TRUSTED_FLAGGER",
        CaseOrigin.OTHER_NOTIFICATION: _NOTIFIED,
        CaseOrigin.AUTHORITY: _NOTIFIED,
        CaseOrigin.CUSTOMS_SAMPLE: _NOTIFIED,
        CaseOrigin.COMPLAINT_SAMPLE: _NOTIFIED,
    }
)
"""The `source_type` of each origin that somebody outside the marketplace gave; others are its own initiative."""


@dataclass(frozen=True)
class PublicStatement:
    """What the record is made of: the facts of the letter, the day of the listing, the wording of the legal ground."""

    facts: LetterFacts
    listed_on: date
    ground: GroundWording

    @property
    def decision(self) -> DecisionFacts:
        """The decision that it gives the reasons of."""
        return decision_of(self.facts)


def transparency_record(statement: PublicStatement, terms: LetterTerms) -> dict[str, Any]:
    """The JSON of one statement, in the database's own names.

    It holds facts and rule, and neither names, nor free text of officers, nor words of reviews. Raises UserError for a
    market outside the EU and the EEA, which the database does not take.
    """
    decision, product = statement.decision, statement.facts.product
    record: dict[str, Any] = {
        **_measure(decision),
        **_ground(statement),
        "content_type": ["CONTENT_TYPE_PRODUCT"],
        "category": "STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS",
        **_keywords(decision),
        "territorial_scope": territory(market_of(statement.facts)),
        "content_date": max(statement.listed_on, FIRST_CONTENT_DAY).isoformat(),
        "application_date": decision.since.isoformat(),
        "decision_facts": _facts(statement.facts, terms)[:MAX_FACTS],
        "source_type": SOURCES.get(decision.origin, "SOURCE_VOLUNTARY"),
        "automated_detection": "Yes" if decision.origin.found_by_model else "No",
        # Of the decision alone, whatever found the product: people read the facts and decided.
        "automated_decision": "AUTOMATED_DECISION_NOT_AUTOMATED",
        "puid": decision.decision_id,
    }
    if product is not None and _is_ean(product.sku_id):
        record["content_id"] = {"EAN-13": product.sku_id}
    return record


def _measure(decision: DecisionFacts) -> dict[str, Any]:
    """What the decision does, to the offer or to the account, and its last day where it has one."""
    ends = decision.end.on if decision.end else decision.ends_on
    last = {} if ends is None else {"end_date": max(ends, decision.since).isoformat()}
    if decision.disposition == "suspend":
        account = {"decision_account": "DECISION_ACCOUNT_SUSPENDED", "account_type": "ACCOUNT_TYPE_BUSINESS"}
        return account | {f"{name}_account_restriction": day for name, day in last.items()}
    if decision.disposition not in _VISIBILITY:
        raise UserError(
            f"The transparency database has no code for {decision.disposition!r}. Add it to `_VISIBILITY` in "
            "serving/dsa/transparency_database.py."
        )
    visibility = {"decision_visibility": [_VISIBILITY[decision.disposition]]}
    return visibility | {f"{name}_visibility_restriction": day for name, day in last.items()}


def _ground(statement: PublicStatement) -> dict[str, str]:
    """A fact makes the offer illegal; without one, the decision rests on the marketplace's terms."""
    rests_on_fact = statement.decision.evidence.kind is not None
    kind = "illegal_content" if rests_on_fact else "incompatible_content"
    name = f"{kind}_legal_ground" if rests_on_fact else f"{kind}_ground"
    return {
        "decision_ground": f"DECISION_GROUND_{kind.upper()}",
        name: statement.ground.legal_ground[:MAX_GROUND],
        f"{kind}_explanation": statement.ground.rule[:MAX_EXPLANATION],
    }


def _keywords(decision: DecisionFacts) -> dict[str, Any]:
    """The database's keyword: a fact makes the product unsafe, a pause rests on none."""
    if decision.evidence.kind is not None:
        return {"category_specification": ["KEYWORD_UNSAFE_PRODUCTS"]}
    return {
        "category_specification": ["KEYWORD_OTHER"],
        "category_specification_other": "paused while the safety of the product is checked",
    }


def _facts(facts: LetterFacts, terms: LetterTerms) -> str:
    """The sentences of the letter on test, ground, origin and people, in English."""
    words = words_of("en")
    return " ".join(words.text(each.key, each.values) for each in _fact_sentences(facts, terms))


def _fact_sentences(facts: LetterFacts, terms: LetterTerms) -> Iterator[Sentence]:
    decision = decision_of(facts)
    if decision.evidence.test is not None:
        yield sentence("test.failed")
        yield from test_sentences(decision.evidence.test, facts.standards, terms)
    yield from ground_sentences(facts, decision)
    yield from origin_sentences(decision.origin)
    yield sentence("chosen.two_people" if decision.two_people else "chosen.one_person")
    if decision.end is not None:
        yield sentence(f"happened.{decision.end.how}", day=decision.end.on)


def _is_ean(sku_id: str) -> bool:
    """Whether the SKU is a 13-digit article number whose last digit checks the others (GS1)."""
    if len(sku_id) != 13 or not (sku_id.isascii() and sku_id.isdigit()):
        return False
    digits = [int(digit) for digit in sku_id]
    return (10 - sum(d * (3 if position % 2 else 1) for position, d in enumerate(digits[:12])) % 10) % 10 == digits[12]
