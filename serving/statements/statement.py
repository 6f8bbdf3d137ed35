"""What a statement of reasons says: the decision, the facts, the rule, the use of automation, the way to appeal."""

from dataclasses import dataclass
from datetime import date

from data.errors import Refusal
from serving.decisions.clock import months_after
from serving.decisions.policy import DecisionPolicy, Disposition, Ground
from serving.decisions.record import DECLINED, PROPOSED, Decision
from serving.decisions.shown import Offer

MOST_REASONS = 4
# The member states of the EU, and of the EEA, as the transparency database names them; markets may name a whole area.
# fmt: off
EU = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
]
# fmt: on
EEA = sorted([*EU, "IS", "LI", "NO"])
EUROPE = frozenset({"EU", "EEA", *EEA})
# A score finds, people decide: the reasons an officer gives with this code came from no score.
_NOT_FOUND_BY_SCORE = frozenset({"authority_order"})


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
    """The statement for a decision, with the reasons and the offer that its officer had before them.

    Raises Refusal where the decision restricts nothing, so that no statement is owed; where it waits for approval; and
    where it does not say what was shown.
    """
    disposition = policy.disposition(decision.disposition)
    if not disposition.restricts or decision.state == DECLINED:
        raise Refusal(f"{disposition.title} restricts nothing for the seller now; no statement of reasons is owed.")
    if decision.state == PROPOSED:
        raise Refusal(
            f"Decision {decision.decision_id} waits for approval and restricts nothing yet. Its statement of reasons "
            "is written when a second person has approved it."
        )
    shown = decision.before_them
    if shown is None:
        raise Refusal(
            f"Decision {decision.decision_id} was taken before reasons were kept with decisions. Write its statement "
            "from its row in the ledger."
        )
    found_by_score = decision.code not in _NOT_FOUND_BY_SCORE
    from_day = date.fromisoformat(decision.since[:10])
    return Statement(
        decision=decision,
        offer=shown.offer,
        disposition=disposition,
        ground=policy.grounds[decision.fact_kind or "terms"],
        reasons=shown.raising[:MOST_REASONS] if found_by_score else (),
        remedy=policy.codes[decision.code].remedy,
        found_by_score=found_by_score,
        from_day=from_day,
        appeal_until=months_after(from_day, policy.appeal_months),
        appeal_address=policy.appeal_address,
    )
