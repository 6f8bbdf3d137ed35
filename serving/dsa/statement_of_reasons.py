"""Statement of reasons (DSA Art. 17): decision, facts, ground, use of automation, ways to appeal; and the letter."""

from dataclasses import dataclass
from datetime import date
from functools import partial
from textwrap import fill

from data.errors import UserError
from serving.decisions.deadlines import add_months
from serving.decisions.policy import DecisionPolicy, Disposition, GroundWording
from serving.decisions.records import DECLINED, PROPOSED, Decision, ListingSummary

MAX_REASONS = 4
# The member states of the EU, and of the EEA, as the transparency database names them; markets may name a whole area.
# fmt: off
EU = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
]
# fmt: on
EEA = sorted([*EU, "IS", "LI", "NO"])
EUROPE = frozenset({"EU", "EEA", *EEA})
# Codes of decisions that no score led to.
_NOT_FOUND_BY_SCORE = frozenset({"authority_order"})


@dataclass(frozen=True)
class Statement:
    """A draft of a statement of reasons. `reasons` are at most four sentences on why the product was looked at.

    `found_by_score` says whether automated means found the product; people decided in any case.
    """

    decision: Decision
    offer: ListingSummary
    disposition: Disposition
    ground: GroundWording
    reasons: tuple[str, ...]
    remedy: str
    found_by_score: bool
    from_day: date
    appeal_until: date
    appeal_address: str

    @property
    def in_europe(self) -> bool:
        """Whether the market is of the EU or the EEA, whose law the grounds name."""
        return self.decision.market in EUROPE

    @property
    def legal_ground(self) -> str:
        """What the decision rests on in the law of its market."""
        return self.ground.legal_ground if self.in_europe else self.ground.elsewhere

    @property
    def rests_on_fact(self) -> bool:
        """Whether a fact carries the decision; else it rests on the marketplace's terms."""
        return self.decision.fact_sentence is not None


def statement_of(decision: Decision, policy: DecisionPolicy) -> Statement:
    """The statement for a decision, with the reasons and the offer in its context.

    Raises UserError where the decision restricts nothing, so that no statement is owed; where it waits for approval;
    and where it has no context.
    """
    disposition = policy.disposition(decision.disposition)
    if not disposition.restricts or decision.state == DECLINED:
        raise UserError(f"{disposition.title} restricts nothing for the seller now; no statement of reasons is owed.")
    if decision.state == PROPOSED:
        raise UserError(
            f"Decision {decision.decision_id} waits for approval and restricts nothing yet. Its statement of reasons "
            "is written when a second person has approved it."
        )
    context = decision.decision_context
    if context is None:
        raise UserError(
            f"Decision {decision.decision_id} was taken before reasons were kept with decisions. Write its statement "
            "from its row in the ledger."
        )
    found_by_score = decision.code not in _NOT_FOUND_BY_SCORE
    from_day = date.fromisoformat(decision.since[:10])
    return Statement(
        decision=decision,
        offer=context.offer,
        disposition=disposition,
        ground=policy.grounds[decision.fact_kind or "terms"],
        reasons=context.raising[:MAX_REASONS] if found_by_score else (),
        remedy=policy.codes[decision.code].remedy,
        found_by_score=found_by_score,
        from_day=from_day,
        appeal_until=add_months(from_day, policy.appeals.months),
        appeal_address=policy.appeals.address,
    )


WIDTH = 72
_MEASURES = {
    "pause": "we have paused the offer of this product until {ends}",
    "remove": "we have removed the offer of this product",
    "suspend": "we have suspended your account as a seller",
    "recall": "we have removed the offer of this product and ask those who bought it to return it",
}
_FOUND_BY_MODEL = (
    "A computer model that compares products with others tested before suggested that we look at this product. It "
    "decided nothing: people read the facts, one proposed this decision and another approved it."
)
_FOUND_BY_PEOPLE = (
    "No automated means found this product, and people alone took this decision: one proposed, another approved."
)


def write_letter(statement: Statement, width: int = WIDTH) -> str:
    """The draft of the letter: what was decided, on which facts and rule, how it was found, how to mend and appeal.

    Lines have at most `width` characters.
    """
    decision, offer = statement.decision, statement.offer
    name = f"{offer.title or decision.sku_id} (SKU {decision.sku_id}, market {decision.market})"
    fact = decision.fact_sentence or "No finding: the product is to be tested, and waits for the test."
    listed = partial(_section, width=width)
    parts = [
        "DRAFT. A person checks this letter before it is sent.",
        f"Statement of reasons {decision.decision_id}",
        fill(f"About: {name}", width),
        fill(f"From {statement.from_day} on {_measure(statement)}. It applies to market {decision.market}.", width),
        listed("The facts", [fact]),
        *([listed("What made us look at it", list(statement.reasons))] if statement.reasons else []),
        listed("The rule", [statement.ground.rule, f"Ground: {statement.legal_ground}."]),
        listed("Use of automated means", [_FOUND_BY_MODEL if statement.found_by_score else _FOUND_BY_PEOPLE]),
        listed("How to put it right", [statement.remedy or "Write to us; we will tell you what is missing."]),
        listed("How to appeal", [
            f"You may appeal free of charge until {statement.appeal_until} through {statement.appeal_address}. A "
            "person who had no part in this decision will answer you. You may send evidence, and ask for a test of the "
            "counter-sample where there is one; if it passes, we bear its cost. You may also go to "
            f"{'a certified body for out-of-court settlement, or to ' if statement.in_europe else ''}a court.",
        ]),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _measure(statement: Statement) -> str:
    name = statement.disposition.name
    if name not in _MEASURES:
        raise UserError(
            f"No letter is written for {statement.disposition.title!r}. Add its sentence to `_MEASURES` in "
            "serving/dsa/statement_of_reasons.py."
        )
    return _MEASURES[name].format(ends=statement.decision.ends_on or "the day its approval sets")


def _section(title: str, sentences: list[str], width: int) -> str:
    return "\n".join([title, *(fill(s, width, initial_indent="- ", subsequent_indent="  ") for s in sentences)])
