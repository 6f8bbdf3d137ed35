"""What a statement of reasons says: the decision, the facts, the rule, the use of automation, the way to appeal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from data.refusal import Refusal
from serving.decisions.clock import months_after
from serving.decisions.policy import DecisionPolicy, Disposition, Ground
from serving.decisions.record import DECLINED, Decision

MOST_REASONS = 4
# A score finds, people decide: the reasons an officer gives with this code came from no score.
_NOT_FOUND_BY_SCORE = frozenset({"authority_order"})


@dataclass(frozen=True)
class Offer:
    """The offer a decision is about, as its seller knows it."""

    title: str | None
    category: str
    listed_on: date


@dataclass(frozen=True)
class Statement:
    """A draft of a statement of reasons. `reasons` are at most four sentences on why the product was looked at.

    `found_by_score` says whether automated means found the product; people decided in any case.
    """

    decision: Decision
    offer: Offer
    disposition: Disposition
    ground: Ground
    reasons: tuple[str, ...]
    remedy: str
    found_by_score: bool
    from_day: date
    appeal_until: date
    appeal_address: str

    @property
    def rests_on_fact(self) -> bool:
        """Whether a fact carries the decision; else it rests on the marketplace's terms."""
        return self.decision.fact_sentence is not None


def statement_of(decision: Decision, offer: Offer, sentences: Sequence[str], policy: DecisionPolicy) -> Statement:
    """The statement for a decision; `sentences` are the reasons of the score, the weightiest first.

    Raises Refusal where the decision restricts nothing: then no statement is owed.
    """
    disposition = policy.disposition(decision.disposition)
    if not disposition.restricts or decision.state == DECLINED:
        raise Refusal(f"{disposition.title} restricts nothing for the seller now; no statement of reasons is owed.")
    found_by_score = decision.code not in _NOT_FOUND_BY_SCORE
    from_day = date.fromisoformat((decision.settled_at or decision.proposed_at)[:10])
    return Statement(
        decision=decision,
        offer=offer,
        disposition=disposition,
        ground=policy.grounds[decision.fact_kind or "terms"],
        reasons=tuple(sentences[:MOST_REASONS]) if found_by_score else (),
        remedy=policy.codes[decision.code].remedy,
        found_by_score=found_by_score,
        from_day=from_day,
        appeal_until=months_after(from_day, policy.appeal_months),
        appeal_address=policy.appeal_address,
    )
