"""A decision as it is kept, and what it was decided on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from data.database.audit_log import Versions
from serving.decisions.blind_assessment import Case
from serving.decisions.rules import GroundInForce


@dataclass(frozen=True)
class ContextReason:
    """A reason of the score: its feature, the contribution in log-odds, the sentence."""

    feature: str
    contribution: float
    sentence: str


@dataclass(frozen=True)
class ContextGround:
    """A fact that stood: `since` is the day it became known, `row_id` the row it was read from."""

    kind: str
    since: date
    sentence: str
    row_id: str


@dataclass(frozen=True)
class ListingSummary:
    """The offer a decision is about, as its seller knows it."""

    title: str | None
    category: str
    listed_on: date


@dataclass(frozen=True)
class DecisionContext:
    """The page of a SKU as it was: the interval of its score, the reasons, the facts, the offer."""

    p_low: float
    p_high: float
    reasons: tuple[ContextReason, ...]
    facts: tuple[ContextGround, ...]
    offer: ListingSummary

    @property
    def raising(self) -> tuple[str, ...]:
        """The sentences of the reasons that raised the score, the weightiest first."""
        return tuple(each.sentence for each in self.reasons if each.contribution > 0)

    def told(self) -> dict[str, Any]:
        """It as JSON-ready values, for the ledger and the table."""
        said: dict[str, Any] = json.loads(json.dumps(asdict(self), default=date.isoformat))
        return said


def context_grounds(facts: Sequence[GroundInForce]) -> tuple[ContextGround, ...]:
    """The facts as they are kept."""
    return tuple(ContextGround(each.kind, each.since, each.sentence, each.row_id) for each in facts)


def read_context(text: str) -> DecisionContext:
    """What `told` gave, from its JSON."""
    told = json.loads(text)
    offer = told["offer"]
    return DecisionContext(
        told["p_low"], told["p_high"],
        tuple(ContextReason(**each) for each in told["reasons"]),
        tuple(ContextGround(**{**each, "since": date.fromisoformat(each["since"])}) for each in told["facts"]),
        ListingSummary(**{**offer, "listed_on": date.fromisoformat(offer["listed_on"])}),
    )  # fmt: skip


PROPOSED, IN_FORCE, DECLINED, REVERSED = "proposed", "in_force", "declined", "reversed"


@dataclass(frozen=True)
class ScoreAtDecision:
    """The score an officer had before them: calibrated probability, band, what the band asks for, the versions."""

    p_fail: float
    band: str
    asked: str
    versions: Versions


@dataclass(frozen=True)
class CaseFile:
    """What an officer decides on: the case, its supplier, its score, the facts that stand, and what was shown of it.

    `shown` is None where the decision was taken from a list, without the SKU's page. `sampled` has by test package the
    day on which the newest sample with a report was drawn.
    """

    case: Case
    supplier_id: str | None
    scored: ScoreAtDecision
    facts: Sequence[GroundInForce]
    shown: DecisionContext | None = None
    sampled: Mapping[str, date] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """A decision on a SKU. `state` is proposed, in_force, declined or reversed; moments are ISO 8601 in UTC.

    `agreement` says how it stands to the score: as_asked, gentler or harder. `settled_by` approved or declined it.
    `ends_on` is the last day of a pause; `shown` is JSON, read by `before_them`.
    """

    decision_id: str
    sku_id: str
    market: str
    supplier_id: str | None
    disposition: str
    code: str
    explanation: str
    fact_kind: str | None
    fact_row: str | None
    fact_sentence: str | None
    package: str | None
    cost_eur: float | None
    proposed_by: str
    proposer_key: str
    proposed_at: str
    state: str
    settled_by: str | None
    settler_key: str | None
    settled_at: str | None
    settled_note: str | None
    ends_on: str | None
    as_of: str
    p_fail: float
    band: str
    agreement: str
    model_version: str
    feature_version: str
    policy_version: str
    form_token: str | None
    shown: str | None = None

    @property
    def before_them(self) -> DecisionContext | None:
        """What the officer had before them, None where it was not kept."""
        return None if self.shown is None else read_context(self.shown)

    @property
    def since(self) -> str:
        """The moment since which it is in force, or was settled otherwise."""
        return self.settled_at or self.proposed_at

    @property
    def subject(self) -> str:
        """How the ledger names the SKU."""
        return f"{self.sku_id} {self.market}"


@dataclass(frozen=True)
class Appeal:
    """A seller's appeal against a decision; `outcome` is upheld, modified or reversed, None while it is open."""

    appeal_id: str
    decision_id: str
    filed_at: str
    filed_by: str
    grounds: str
    outcome: str | None
    reviewed_by: str | None
    reviewed_at: str | None
    note: str | None
    filer_key: str | None = None
