"""What `/explain` answers, as it goes over HTTP."""

from datetime import date

from pydantic import BaseModel

from serving.answers import ScoreRow
from serving.dossiers.dossier import Certificate, Dossier, Hold, Incident, LabTest, Month, Quote, Remediation
from serving.explanation.advice import Change
from serving.explanation.grouped import ContributionGroup
from serving.facts import Fact

MOST_ROWS = 20
"""So many rows of a kind are shown; the newest."""


class Evidence(BaseModel):
    """What is known of the SKU, without any model: facts that stand, and the newest rows of each kind.

    Tests of samples that the supplier handed in have the origin `supplier_provided` and count for nothing.
    """

    facts: list[Fact]
    tests: list[LabTest]
    certificates: list[Certificate]
    holds: list[Hold]
    incidents: list[Incident]
    remediations: list[Remediation]
    quotes: list[Quote]
    months: list[Month]


class FeatureChange(BaseModel):
    """A feature before and after; null where unknown."""

    feature: str
    before: float | None
    after: float | None


class StepTold(BaseModel):
    """A step that would lower the predicted failure rate, the features it changes, and where it leads.

    The model tells what goes together with failing, not what causes it.
    """

    step: str
    sentence: str
    features: list[FeatureChange]
    p_fail: float
    band: str


class ExplainAnswer(BaseModel):
    """One score with everything behind it; `base_value` and the contributions of all groups make `margin` (log-odds).

    `would_change` holds steps over actionable features only. `evidence` is null where the catalogue was scored without
    dossiers.
    """

    score: ScoreRow
    action: str
    margin: float
    base_value: float
    groups: list[ContributionGroup]
    would_change: list[StepTold]
    evidence: Evidence | None
    model_version: str
    feature_version: str
    policy_version: str
    as_of: date


def step_told(change: Change) -> StepTold:
    """A change as it goes over HTTP."""
    moved = [FeatureChange(feature=name, before=old, after=new) for name, (old, new) in change.features.items()]
    return StepTold(step=change.step, sentence=change.sentence, features=moved, p_fail=change.p_fail, band=change.band)


def evidence_of(dossier: Dossier, facts: tuple[Fact, ...]) -> Evidence:
    """What a dossier holds, the newest rows of each kind."""
    return Evidence(
        facts=list(facts), tests=list(dossier.tests[:MOST_ROWS]),
        certificates=list(dossier.standing_certificates[:MOST_ROWS]), holds=list(dossier.holds[:MOST_ROWS]),
        incidents=list(dossier.incidents[:MOST_ROWS]), remediations=list(dossier.remediations[:MOST_ROWS]),
        quotes=list(dossier.quotes[:MOST_ROWS]), months=list(dossier.months),
    )  # fmt: skip
