"""`POST /explain`: every contribution to one score, the evidence, and counterfactual steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from data.errors import UserError
from models.interactions import InteractionText
from models.reasons import FeatureContribution, ReasonWriter, RowContext
from serving.api.counterfactuals import Counterfactual, find_counterfactuals, steps_in_force
from serving.decisions.legal_grounds import Ground, grounds_in_force
from serving.dossiers.records import (
    AlertMatch,
    Certificate,
    Dossier,
    Hold,
    Incident,
    LabTest,
    Month,
    Remediation,
    ReviewQuote,
)
from serving.online.store import OnlineStore
from serving.schemas import Item, ScoreRow

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Contribution:
    """What one feature adds to the margin, in log-odds; `value` None where unknown; `sentence` says both in words."""

    feature: str
    meaning: str
    value: float | None
    contribution: float
    sentence: str


@dataclass(frozen=True)
class ContributionGroup:
    """The features of one group, the largest contribution first, and their sum in log-odds."""

    group: str
    contribution: float
    features: tuple[Contribution, ...]


def group_contributions(
    writer: ReasonWriter, names: Sequence[str], row: RowContext, values: Floats, contributions: Floats
) -> tuple[ContributionGroup, ...]:
    """Every feature's contribution in its group, the group of the largest sum first.

    `values` and `contributions` are (features,) in the order of `names`. The sums of the groups and the base value
    make the margin.
    """
    order = np.argsort(-np.abs(contributions), kind="stable").tolist()
    flat = zip(order, values[order].tolist(), contributions[order].tolist(), strict=True)
    reasons = writer.reasons([FeatureContribution(row, names[column], *numbers) for column, *numbers in flat])
    groups: dict[str, list[Contribution]] = {}
    for reason, column in zip(reasons, order, strict=True):
        size = float(contributions[column])
        words = reason.sentence if size else " ".join(part for part in (reason.fact, reason.comparison) if part)
        known = None if np.isnan(reason.value) else reason.value
        meaning = writer.meaning(reason.feature)
        groups.setdefault(reason.group, []).append(Contribution(reason.feature, meaning, known, size, words))
    summed = [ContributionGroup(name, sum(one.contribution for one in each), tuple(each))
              for name, each in groups.items()]  # fmt: skip
    return tuple(sorted(summed, key=lambda group: -abs(group.contribution)))


MAX_ROWS = 20
"""At most so many rows of a kind are answered, the newest."""


class EvidenceAnswer(BaseModel):
    """What was known of the SKU at its scoring, without any model: facts that stood, the newest rows of each kind.

    Tests of samples that the supplier handed in have the origin `supplier_provided` and count for nothing. `alerts` of
    public registers match the SKU as `how` says: check whether they are about this product.
    """

    facts: list[Ground]
    tests: list[LabTest]
    certificates: list[Certificate]
    holds: list[Hold]
    incidents: list[Incident]
    alerts: list[AlertMatch]
    remediations: list[Remediation]
    quotes: list[ReviewQuote]
    months: list[Month]


class InteractionAnswer(BaseModel):
    """Two facts that weigh more, or less, together than apart, as a sentence.

    `features` are theirs, each with those that rest on the same rows, as in `reasons`. `contribution` (log-odds) is
    what they add to the margin beyond what each adds alone, of which the contributions of both hold one half each;
    `points` is its change of the predicted failure rate in percentage points. `supplier_may_see`: whether the
    supplier may be told.
    """

    features: list[str]
    contribution: float
    points: float
    sentence: str
    supplier_may_see: bool


class FeatureChange(BaseModel):
    """A feature before and after; null where unknown."""

    feature: str
    before: float | None
    after: float | None


class StepAnswer(BaseModel):
    """A step that would lower the predicted failure rate, the features it changes, and where it leads.

    Such steps go with lower failure rates; they do not prove a cause.
    """

    step: str
    sentence: str
    features: list[FeatureChange]
    p_fail: float
    band: str


class ExplainAnswer(BaseModel):
    """One score with everything behind it; `base_value` and the contributions of all groups make `margin` (log-odds).

    `interactions` are pairs of facts as large as `policy/interactions` asks for, mostly none. `would_change` holds
    steps over actionable features only. `evidence` is null where the catalogue was scored without dossiers.
    """

    score: ScoreRow
    action: str
    margin: float
    base_value: float
    groups: list[ContributionGroup]
    interactions: list[InteractionAnswer]
    would_change: list[StepAnswer]
    evidence: EvidenceAnswer | None
    model_version: str
    feature_version: str
    policy_version: str
    as_of: date


def to_interaction_answer(pair: InteractionText) -> InteractionAnswer:
    """A pair of facts as it goes over HTTP."""
    return InteractionAnswer(
        features=list(pair.features), contribution=pair.contribution, points=pair.points, sentence=pair.sentence,
        supplier_may_see=pair.supplier_may_see,
    )  # fmt: skip


def to_step_answer(change: Counterfactual) -> StepAnswer:
    """A counterfactual as it goes over HTTP."""
    features = [FeatureChange(feature=name, before=old, after=new) for name, (old, new) in change.features.items()]
    return StepAnswer(
        step=change.step, sentence=change.sentence, features=features, p_fail=change.p_fail, band=change.band
    )


def to_evidence_answer(dossier: Dossier, facts: tuple[Ground, ...]) -> EvidenceAnswer:
    """The newest rows of each kind of a dossier."""
    return EvidenceAnswer(
        facts=list(facts), tests=list(dossier.tests[:MAX_ROWS]),
        certificates=list(dossier.standing_certificates[:MAX_ROWS]), holds=list(dossier.holds[:MAX_ROWS]),
        incidents=list(dossier.incidents[:MAX_ROWS]), alerts=list(dossier.alerts[:MAX_ROWS]),
        remediations=list(dossier.remediations[:MAX_ROWS]),
        quotes=list(dossier.quotes[:MAX_ROWS]), months=list(dossier.months),
    )  # fmt: skip


def explain_sku(published: OnlineStore, item: Item) -> ExplainAnswer:
    """Why a SKU has its score: every contribution, what is known of it, what would change it.

    Raises UserError where the catalogue does not know it.
    """
    score = published.score_row(item)
    position = int(published.snapshot.find([item.sku_id], [item.market])[0])
    matrix = published.snapshot.matrix_at(np.array([position]))
    scores, names = published.scorer.score(matrix), published.snapshot.feature_names
    row = RowContext(published.snapshot.category(position), float(scores.margin[0]), matrix[0])
    contributions, steps = scores.contributions[0], steps_in_force(score.as_of)
    return ExplainAnswer(
        score=score,
        action=str(published.scorer.bands.action(score.p_fail)),
        margin=float(scores.margin[0]),
        base_value=scores.base_value,
        groups=list(group_contributions(published.reason_writer, names, row, matrix[0], contributions)),
        interactions=[
            to_interaction_answer(pair) for pair in published.interactions(row, matrix[0], contributions)
        ],
        would_change=[
            to_step_answer(change) for change in find_counterfactuals(published.scorer, names, matrix[0], steps)
        ],
        evidence=_evidence(published, position),
        model_version=score.model_version, feature_version=score.feature_version,
        policy_version=score.policy_version, as_of=score.as_of,
    )  # fmt: skip


def _evidence(published: OnlineStore, position: int) -> EvidenceAnswer | None:
    try:
        dossier = published.dossiers.of(position)
    except UserError:
        return None
    return to_evidence_answer(dossier, grounds_in_force(dossier, dossier.as_of))
