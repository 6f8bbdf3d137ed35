"""Records of decisions: the decision as it is stored, the case it is about, what its officer had read, appeals."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

from data.database.audit_log import Versions
from serving.decisions.blind_assessment import Case
from serving.decisions.ground_rows import GroundRows, read_ground_rows
from serving.decisions.legal_grounds import Ground
from serving.decisions.policy import Disposition


class SkuKey(NamedTuple):
    """The key of a score: a SKU and its market."""

    sku_id: str
    market: str


@dataclass(frozen=True)
class ContextReason:
    """A reason of the score: feature, contribution in log-odds, sentence."""

    feature: str
    contribution: float
    sentence: str


@dataclass(frozen=True)
class ListingSummary:
    """The listing that a decision is about, as its seller knows it."""

    title: str | None
    category: str
    listed_on: date


@dataclass(frozen=True)
class DecisionContext:
    """What the page of the SKU displayed at the decision: interval and reasons of the score, grounds, listing.

    `notices` are the ids of the notices of danger among it; `rows` those behind the grounds, None in decisions from
    before they were stored. The names of the fields are those of the stored JSON.
    """

    p_low: float
    p_high: float
    reasons: tuple[ContextReason, ...]
    facts: tuple[Ground, ...]
    offer: ListingSummary
    notices: tuple[str, ...] = ()
    rows: GroundRows | None = None

    @property
    def row_ids(self) -> frozenset[str]:
        """The rows of the grounds and notices, which the decision answers."""
        return frozenset(self.notices) | {ground.row_id for ground in self.facts}

    @property
    def raising(self) -> tuple[str, ...]:
        """The sentences of the reasons that raised the score, the largest contribution first."""
        return tuple(each.sentence for each in self.reasons if each.contribution > 0)

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values, for the ledger and the table."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self), default=date.isoformat))
        return values


def read_context(text: str) -> DecisionContext:
    """Parse the JSON text of `DecisionContext.to_json`."""
    values = json.loads(text)
    offer = values["offer"]
    return DecisionContext(
        values["p_low"], values["p_high"],
        tuple(ContextReason(**each) for each in values["reasons"]),
        tuple(Ground(**{**each, "since": date.fromisoformat(each["since"])}) for each in values["facts"]),
        ListingSummary(**{**offer, "listed_on": date.fromisoformat(offer["listed_on"])}),
        tuple(values.get("notices", ())),
        read_ground_rows(values.get("rows")),
    )  # fmt: skip


PROPOSED, IN_FORCE, DECLINED, REVERSED, REPLACED = "proposed", "in_force", "declined", "reversed", "replaced"


@dataclass(frozen=True)
class ScoreAtDecision:
    """The score at the decision: calibrated probability, risk band, action of the band, versions."""

    p_fail: float
    band: str
    band_action: str
    versions: Versions


@dataclass(frozen=True)
class CaseFile:
    """The case that is decided: SKU and day, supplier, score, legal grounds in force, and what was displayed of it.

    `supplier_grounds` are those of all SKUs of the supplier, for decisions that bind it. `context` is None for a
    decision from a list, without the SKU's page. `newest_samples` is, by test package, the day on which the newest
    sample with a report was drawn.
    """

    case: Case
    supplier_id: str | None
    score: ScoreAtDecision
    grounds: Sequence[Ground]
    context: DecisionContext | None = None
    newest_samples: Mapping[str, date] = field(default_factory=dict)
    supplier_grounds: Sequence[Ground] = ()

    def grounds_for(self, disposition: Disposition) -> Sequence[Ground]:
        """The grounds that a disposition may rest on."""
        return self.supplier_grounds or self.grounds if disposition.binds == "supplier" else self.grounds


@dataclass(frozen=True)
class Decision:
    """A row of the table `decisions`. `state` is one of the five above; times are ISO 8601 in UTC.

    `agreement` compares it with the score: as_asked, gentler or harder. `settled_by` approved or declined it.
    `ends_on` is the last day of a pause; `ended_at` the time of the reversal or modification on appeal, `replaces` the
    decision that this one modifies. `ledger_row` is the number of the ledger's row of its last change, `reference`
    that of the answer to an authority; `binds` is sku or supplier. `shown` is the JSON of `decision_context`.
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
    ledger_row: int = 0
    ended_at: str | None = None
    replaces: str | None = None
    reference: str | None = None
    binds: str = "sku"

    def is_in_force(self, day: date) -> bool:
        """Whether it is in force on a day; a pause is until its last day."""
        return self.state == IN_FORCE and (self.ends_on is None or self.ends_on >= day.isoformat())

    @property
    def decision_context(self) -> DecisionContext | None:
        """What was displayed to the officer, None where it was not stored."""
        return None if self.shown is None else read_context(self.shown)

    @property
    def since(self) -> str:
        """The time since which it is in its state."""
        return self.settled_at or self.proposed_at

    @cached_property
    def key(self) -> SkuKey:
        """The SKU and its market."""
        return SkuKey(self.sku_id, self.market)

    @property
    def subject(self) -> str:
        """The SKU as the subject of ledger rows."""
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
