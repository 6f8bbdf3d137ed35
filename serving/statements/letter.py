"""The letter to the seller, in plain text."""

from functools import partial
from textwrap import fill

from data.errors import Refusal
from serving.statements.statement import Statement

WIDTH = 72
_DONE = {
    "pause": "we have paused the offer of this product until {ends}",
    "remove": "we have removed the offer of this product",
    "suspend": "we have suspended your account as a seller",
    "recall": "we have removed the offer of this product and ask those who bought it to return it",
}
_FOUND = (
    "A computer model that compares products with others tested before suggested that we look at this product. It "
    "decided nothing: people read the facts, one proposed this decision and another approved it."
)
_NOT_FOUND = (
    "No automated means found this product, and people alone took this decision: one proposed, another approved."
)


def letter(statement: Statement, width: int = WIDTH) -> str:
    """The draft of the letter: what was decided, on which facts and rule, how it was found, how to mend and appeal.

    Lines have at most `width` characters.
    """
    decision, offer = statement.decision, statement.offer
    name = f"{offer.title or decision.sku_id} (SKU {decision.sku_id}, market {decision.market})"
    fact = decision.fact_sentence or "No finding: the product is to be tested, and waits for the test."
    listed = partial(_listed, width=width)
    parts = [
        "DRAFT. A person checks this letter before it is sent.",
        f"Statement of reasons {decision.decision_id}",
        fill(f"About: {name}", width),
        fill(f"From {statement.from_day} on {_what(statement)}. It applies to market {decision.market}.", width),
        listed("The facts", [fact]),
        *([listed("What made us look at it", list(statement.reasons))] if statement.reasons else []),
        listed("The rule", [statement.ground.rule, f"Ground: {statement.legal_ground}."]),
        listed("Use of automated means", [_FOUND if statement.found_by_score else _NOT_FOUND]),
        listed("How to put it right", [statement.remedy or "Write to us; we will tell you what is missing."]),
        listed("How to appeal", [
            f"You may appeal free of charge until {statement.appeal_until} through {statement.appeal_address}. A "
            "person who had no part in this decision will answer you. You may send evidence, and ask for a test of the "
            "counter-sample where there is one; if it passes, we bear its cost. You may also go to "
            f"{'a certified body for out-of-court settlement, or to ' if statement.in_europe else ''}a court.",
        ]),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _what(statement: Statement) -> str:
    name = statement.disposition.name
    if name not in _DONE:
        raise Refusal(f"No letter is written for {statement.disposition.title!r}. Add its sentence to letter.py.")
    return _DONE[name].format(ends=statement.decision.ends_on or "the day its approval sets")


def _listed(title: str, sentences: list[str], width: int) -> str:
    return "\n".join([title, *(fill(s, width, initial_indent="- ", subsequent_indent="  ") for s in sentences)])
