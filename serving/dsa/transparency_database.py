"""A statement of reasons for the EU's transparency database (DSA Art. 24(5)); never with personal data.

Names and limits: https://transparency.dsa.ec.europa.eu/page/api-documentation, read on 2026-11-26.
"""

from datetime import date
from typing import Any

from data.errors import UserError
from serving.dsa.statement_of_reasons import EEA, EU, Statement

MAX_FACTS, MAX_EXPLANATION, MAX_GROUND = 5000, 2000, 500
_VISIBILITY = {
    "pause": "DECISION_VISIBILITY_CONTENT_DISABLED",
    "remove": "DECISION_VISIBILITY_CONTENT_REMOVED",
    "recall": "DECISION_VISIBILITY_CONTENT_REMOVED",
}


def transparency_record(statement: Statement, content_language: str | None = None) -> dict[str, Any]:
    """The JSON of one statement, in the database's own names.

    It holds the facts and the rule, and neither names, nor free text of officers, nor words of reviews. Raises
    UserError for a market outside the EU and the EEA, which the database does not take.
    """
    decision = statement.decision
    record: dict[str, Any] = {
        **_measure(statement),
        **_ground(statement),
        "content_type": ["CONTENT_TYPE_PRODUCT"],
        "category": "STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS",
        **_keywords(statement),
        "territorial_scope": territory(decision.market),
        "content_date": max(statement.offer.listed_on, date(2000, 1, 1)).isoformat(),
        "application_date": statement.from_day.isoformat(),
        "decision_facts": _facts(statement)[:MAX_FACTS],
        "source_type": "SOURCE_VOLUNTARY" if statement.found_by_score else "SOURCE_TYPE_OTHER_NOTIFICATION",
        "automated_detection": "Yes" if statement.found_by_score else "No",
        "automated_decision": (
            "AUTOMATED_DECISION_PARTIALLY" if statement.found_by_score else "AUTOMATED_DECISION_NOT_AUTOMATED"
        ),
        "puid": decision.decision_id,
    }
    if content_language is not None:
        record["content_language"] = content_language.upper()
    if _is_ean(decision.sku_id):
        record["content_id"] = {"EAN-13": decision.sku_id}
    return record


def territory(market: str) -> list[str]:
    """The member states of a market; UserError where the database takes none of it."""
    scope = {"EU": EU, "EEA": EEA}.get(market, [market] if market in EEA else [])
    if not scope:
        raise UserError(f"Market {market} is outside the EU; the transparency database takes no statement for it.")
    return list(scope)


def _measure(statement: Statement) -> dict[str, Any]:
    """What the decision does: to the offer, or to the account."""
    if statement.disposition.name == "suspend":
        return {"decision_account": "DECISION_ACCOUNT_SUSPENDED", "account_type": "ACCOUNT_TYPE_BUSINESS"}
    measure: dict[str, Any] = {"decision_visibility": [_VISIBILITY[statement.disposition.name]]}
    if statement.decision.ends_on is not None:
        measure["end_date_visibility_restriction"] = statement.decision.ends_on
    return measure


def _ground(statement: Statement) -> dict[str, str]:
    kind = "illegal_content" if statement.rests_on_fact else "incompatible_content"
    name = f"{kind}_legal_ground" if statement.rests_on_fact else f"{kind}_ground"
    return {
        "decision_ground": f"DECISION_GROUND_{kind.upper()}",
        name: statement.ground.legal_ground[:MAX_GROUND],
        f"{kind}_explanation": statement.ground.rule[:MAX_EXPLANATION],
    }


def _keywords(statement: Statement) -> dict[str, Any]:
    """The database's keyword: a fact makes the product unsafe, a pause rests on none."""
    if statement.rests_on_fact:
        return {"category_specification": ["KEYWORD_UNSAFE_PRODUCTS"]}
    return {
        "category_specification": ["KEYWORD_OTHER"],
        "category_specification_other": "paused until the product is tested",
    }


def _facts(statement: Statement) -> str:
    sentence = statement.decision.fact_sentence
    facts = [*([sentence] if sentence else []), *statement.reasons]
    means = "A model suggested the check." if statement.found_by_score else "No automated means were used."
    return " ".join([*facts, f"{means} People took the decision; another person approved it."])


def _is_ean(sku_id: str) -> bool:
    """Whether the SKU is a 13-digit article number whose last digit checks the others (GS1)."""
    if len(sku_id) != 13 or not (sku_id.isascii() and sku_id.isdigit()):
        return False
    digits = [int(digit) for digit in sku_id]
    return (10 - sum(d * (3 if position % 2 else 1) for position, d in enumerate(digits[:12])) % 10) % 10 == digits[12]
