"""Drawing a round: a seed that nobody chose, the plan kept whole, and a row of the ledger."""

import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from data.ledger import Deed, Versions, record
from data.workspace import Workspace
from sampling.plan import PlanSummary
from sampling.rounds import write_plan
from sampling.seal import Sealed, forget_sealed, kept_sealed
from serving.published import Published


@dataclass(frozen=True)
class Planner:
    """Who draws, when, and the state that records it."""

    engine: sa.Engine
    name: str
    now: datetime


def draw_round(workspace: Workspace, published: Published, budget_eur: float, by: Planner) -> PlanSummary:
    """Draw the next round for a budget, by the seed sealed before where there is one; keep and record it.

    Raises Refusal where budget or catalogue do not allow a plan; then the sealed seed stays sealed.
    """
    kept = kept_sealed(workspace.plans)
    sealed = kept or Sealed(secrets.randbits(62), secrets.token_hex(16))
    plan, scored = published.plan(budget_eur, sealed.seed, sealed.nonce), published.publication
    told = plan.summary
    write_plan(plan, workspace.plans)
    content = {
        "seal": told.seal, "frame": told.frame_digest, "budget_eur": told.budget_eur, "cost_eur": told.cost_eur,
        "tests": told.tests, "in_test": told.in_test,
    }  # fmt: skip
    versions = Versions(scored.model_version, scored.feature_version, told.policy_version)
    record(by.engine, Deed(by.name, "plan", told.round_id, content, versions), by.now)
    if kept is not None:
        forget_sealed(workspace.plans)
    return told
