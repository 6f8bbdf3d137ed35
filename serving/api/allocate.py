"""Drawing a round: a seed that nobody chose, the whole plan as files, and a row of the ledger."""

import shutil
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, Versions, audit_rows, record_event_in
from data.database.connection import write_transaction
from data.database.locks import hold_lock
from data.errors import UserError
from data.workspace import Workspace
from sampling.plan import Plan, PlanSummary
from sampling.plan_files import round_ids
from sampling.randomness import SeedCommitment
from sampling.rounds import write_plan
from sampling.sealed_seeds import delete_seed, next_seed
from serving.api.idempotency import note_effect
from serving.online.store import OnlineStore


@dataclass(frozen=True)
class Planner:
    """Who draws a round, when, and the database that records it.

    `known_rounds` is the number of rounds that were there when the plan was read; None where nobody read one.
    """

    engine: sa.Engine
    name: str
    now: datetime
    known_rounds: int | None = None


def draw_round(workspace: Workspace, published: OnlineStore, budget_eur: float, by: Planner) -> PlanSummary:
    """Draw the next round for a budget, by the committed seed where there is one; store and record it.

    Raises UserError where budget or catalogue do not allow a plan; then the commitment stays unopened.
    """
    return draw_plan(workspace, published, budget_eur, by).summary


def draw_plan(
    workspace: Workspace, published: OnlineStore, budget_eur: float, by: Planner, seed: int | None = None
) -> Plan:
    """The whole plan of `draw_round`; a given `seed` takes the place of the committed one.

    One round is drawn at a time, on all machines with this database, so that none draws what another has just put to
    test. The same seed and budget give the same round, which is recorded once; a drawing that was killed is repeated
    by the next one with its seed. Raises UserError as `draw_round`, where this seed drew another plan, or where a
    round was drawn since the plan was read.
    """
    with hold_lock(by.engine, "drawing"):
        _require_known_rounds(workspace, by)
        sealed = next_seed(by.engine, workspace) if seed is None else SeedCommitment(seed, "")
        if seed is None:
            _delete_unrecorded(workspace, by.engine, sealed)
        plan = published.plan(budget_eur, sealed.seed, sealed.nonce)
        # Written while the record waits to be committed: a round that nobody recorded would keep its SKUs in test.
        with write_transaction(by.engine) as connection:
            write_plan(plan, workspace.plans)
            _record_once(connection, plan.summary, published, by)
            note_effect(connection, plan.summary.round_id)
            delete_seed(connection, sealed.seal)
    return plan


def _delete_unrecorded(workspace: Workspace, engine: sa.Engine, sealed: SeedCommitment) -> None:
    """Delete the plan that a killed drawing wrote with this seed and did not record: nobody has seen it."""
    for name in round_ids(workspace):
        if name.endswith(f"-{sealed.seal[:8]}") and not is_recorded(engine, name):
            shutil.rmtree(workspace.plans / name)


def is_recorded(engine: sa.Engine, round_id: str) -> bool:
    """Whether the ledger says that this round was drawn."""
    return any(row.action == "plan" for row in audit_rows(engine, round_id))


def _require_known_rounds(workspace: Workspace, by: Planner) -> None:
    """Raise UserError where rounds were drawn since the plan was read: by a second click, or by somebody else."""
    rounds = round_ids(workspace)
    if by.known_rounds is not None and len(rounds) != by.known_rounds:
        raise UserError(
            "A round was drawn since this plan was shown, and nothing more has been drawn now. It is in the list "
            "below. If you want another round, look at the plan again and approve it."
        )


def _record_once(connection: sa.Connection, summary: PlanSummary, published: OnlineStore, by: Planner) -> None:
    if is_recorded(by.engine, summary.round_id):
        return
    content = {
        "seal": summary.seal, "frame": summary.frame_digest, "budget_eur": summary.budget_eur,
        "cost_eur": summary.cost_eur, "tests": summary.tests, "in_test": summary.in_test,
    }  # fmt: skip
    scored = published.publication
    versions = Versions(scored.model_version, scored.feature_version, summary.policy_version)
    record_event_in(connection, AuditEvent(by.name, "plan", summary.round_id, content, versions), by.now)
