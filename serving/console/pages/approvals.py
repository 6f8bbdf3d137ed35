"""What waits for a second pair of eyes, and one decision with all that became of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from data.database.audit_log import AuditRow, audit_rows
from data.errors import UserError
from serving.console.blinding import Key, blinded_among
from serving.console.case import decisions_of, dossier_of, officer_of, policy_today
from serving.console.context import AppContext
from serving.console.pages.decision import text
from serving.console.session import AnyHouse, OwnForm, Person, SignedIn, app_context, may, signed_in
from serving.console.templating import address, page
from serving.decisions.appeals import OUTCOMES, appeals, last_day_to_answer, why_not_to_answer
from serving.decisions.legal_grounds import grounds_in_force
from serving.decisions.records import PROPOSED, Appeal, Decision
from serving.decisions.rules import require_role

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

CaseOfficer = Annotated[Person, may("officer")]
SHOWN = 200


@dataclass(frozen=True)
class ApprovalView:
    """A decision for one person: `barred` says why they may not approve it, None where they may."""

    decision: Decision
    barred: str | None
    appeals: tuple[Appeal, ...] = ()
    deeds: tuple[AuditRow, ...] = ()


@router.get("/decisions")
def overview(request: Request, house: AnyHouse, person: SignedIn) -> Response:
    """The proposals that wait, and what is in force."""
    kept = decisions_of(house)
    waiting = [_standing(house, person, each) for each in kept.waiting()]
    in_force = kept.in_force(house.now().date())
    return page(
        request, "decisions.html", waiting=waiting, in_force=in_force[:SHOWN], more=max(len(in_force) - SHOWN, 0),
        policy=policy_today(house), veiled=blinded_among(house, person, map(_key, in_force[:SHOWN])),
    )  # fmt: skip


@router.get("/decisions/{decision_id}")
def one(request: Request, house: AnyHouse, person: SignedIn, decision_id: str) -> Response:
    """A decision: what it rests on, who proposed and settled it, its statement of reasons, appeals, the ledger."""
    return _one(request, house, person, decision_id)


@router.post("/decisions/{decision_id}/approve")
def approve(request: Request, house: AnyHouse, person: CaseOfficer, sent: OwnForm, decision_id: str) -> Response:
    """Put a proposal into force; not where its fact stands no more."""

    def step() -> None:
        _require_standing(house, decisions_of(house).decision(decision_id))
        decisions_of(house).approve(decision_id, officer_of(person), *_now(house, sent))

    return done(request, person, decision_id, step)


@router.post("/decisions/{decision_id}/decline")
def decline(request: Request, house: AnyHouse, person: CaseOfficer, sent: OwnForm, decision_id: str) -> Response:
    """Refuse a proposal, or take one's own back."""
    step = decisions_of(house).decline
    return done(request, person, decision_id, lambda: step(decision_id, officer_of(person), *_now(house, sent)))


def done(request: Request, person: Person, decision_id: str, step: Callable[[], object]) -> Response:
    """Take a step on a decision and show it; with the sentence where the step is refused."""
    try:
        step()
    except UserError as refusal:
        return _one(request, app_context(request), person, decision_id, str(refusal))
    return RedirectResponse(address(request, f"/decisions/{decision_id}"), 303)


def _require_standing(house: AppContext, decision: Decision) -> None:
    """Raise UserError where the fact that a proposal rests on stands no more, if the catalogue has the SKU still."""
    try:
        dossier = dossier_of(house, decision.sku_id, decision.market)
    except UserError:
        return
    if decision.fact_row and decision.fact_row not in {
        fact.row_id for fact in grounds_in_force(dossier, dossier.as_of)
    }:
        raise UserError(
            f"What it rests on stands no more in the catalogue of {dossier.as_of}. Decline it; propose on what does."
        )


def _now(house: AppContext, sent: FormData) -> tuple[datetime, str]:
    return house.now(), text(sent, "note")


def _one(request: Request, house: AppContext, person: Person, decision_id: str, refused: str | None = None) -> Response:
    standing = _standing(house, person, decisions_of(house).decision(decision_id), with_history=True)
    policy = policy_today(house)
    return page(
        request, "decision.html", 400 if refused else 200, standing=standing, decision=standing.decision,
        disposition=policy.disposition(standing.decision.disposition), policy=policy, outcomes=OUTCOMES,
        refused=refused, shown=standing.decision.before_them,
        veiled=bool(blinded_among(house, person, [_key(standing.decision)])),
        answer_by={each.appeal_id: last_day_to_answer(each, policy) for each in standing.appeals},
        barred_appeals={
            each.appeal_id: why_not_to_answer(officer_of(person), standing.decision, each) for each in standing.appeals
        },
    )  # fmt: skip


def _key(decision: Decision) -> Key:
    return decision.sku_id, decision.market


def _standing(house: AppContext, person: Person, decision: Decision, with_history: bool = False) -> ApprovalView:
    barred = None
    try:
        require_role(officer_of(person), policy_today(house).disposition(decision.disposition))
    except UserError as refusal:
        barred = str(refusal)
    if officer_of(person).is_same_as(decision.proposed_by, decision.proposer_key):
        barred = "You proposed it; somebody else approves it."
    if decision.state != PROPOSED:
        barred = "Nothing waits for approval."
    if not with_history:
        return ApprovalView(decision, barred)
    deeds = tuple(audit_rows(house.engine, decision.subject))
    return ApprovalView(decision, barred, tuple(appeals(house.engine, decision.decision_id)), deeds)
