"""Proposals that await approval, decisions in force, and the page of one decision."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from data.database.audit_log import AuditRow, audit_rows
from data.errors import UserError
from serving.console.blinding import blinded_keys
from serving.console.case import (
    current_policy,
    decisions_of,
    dossier_of,
    officer_of,
    read_state,
    supplier_grounds,
)
from serving.console.context import AppContext
from serving.console.letter_sources import draft_letters
from serving.console.pages.audit_log_words import action_words
from serving.console.pages.decision import text
from serving.console.session import ContextDep, CurrentPerson, Person, VerifiedForm, app_context, requires_role
from serving.console.templating import address, page
from serving.decisions.appeals import OUTCOMES, answer_due_on, appeals, modifications, why_barred_from_answering
from serving.decisions.records import PROPOSED, Appeal, Decision
from serving.decisions.rules import carrying_grounds, require_role

router = APIRouter()

CaseOfficer = Annotated[Person, requires_role("officer")]
MOST_LISTED = 200


@dataclass(frozen=True)
class ApprovalView:
    """A decision for one person: `barred` says why they cannot approve it, None where they can."""

    decision: Decision
    barred: str | None
    appeals: tuple[Appeal, ...] = ()
    events: tuple[AuditRow, ...] = ()


@router.get("/decisions")
def overview(request: Request, context: ContextDep, person: CurrentPerson) -> Response:
    """The proposals that await approval, and the decisions in force."""
    decisions = decisions_of(context)
    waiting = [_approval_view(context, person, each) for each in decisions.waiting()]
    today = context.now().date()
    listed, count = decisions.in_force(today, MOST_LISTED), decisions.count_in_force(today)
    keys = {each.key for each in (*listed, *(view.decision for view in waiting))}
    return page(
        request, "decisions.html", titles=context.store.titles(sorted(keys)), waiting=waiting, in_force=listed,
        more=count - len(listed), policy=current_policy(context),
        blinded=blinded_keys(context, person, [each.key for each in listed]),
    )  # fmt: skip


@router.get("/decisions/{decision_id}")
def one(request: Request, context: ContextDep, person: CurrentPerson, decision_id: str) -> Response:
    """A decision: its ground, who proposed and settled it, statement of reasons, appeals, ledger rows."""
    return _decision_page(request, context, person, decision_id)


@router.post("/decisions/{decision_id}/approve")
def approve(
    request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm, decision_id: str
) -> Response:
    """Put a proposal into force, if its ground is still in force."""

    def step() -> None:
        _require_ground_in_force(context, decisions_of(context).decision(decision_id))
        decisions_of(context).approve(decision_id, officer_of(person), context.now(), text(form, "note"))

    return take_step(request, person, decision_id, step)


@router.post("/decisions/{decision_id}/decline")
def decline(
    request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm, decision_id: str
) -> Response:
    """Decline a proposal, or withdraw one's own."""
    decisions, officer, note = decisions_of(context), officer_of(person), text(form, "note")
    return take_step(request, person, decision_id, lambda: decisions.decline(decision_id, officer, context.now(), note))


def take_step(request: Request, person: Person, decision_id: str, step: Callable[[], object]) -> Response:
    """Run a step on a decision, then redirect to its page; render it with the message where the step fails."""
    try:
        step()
    except UserError as refusal:
        return _decision_page(request, app_context(request), person, decision_id, str(refusal))
    draft_letters(app_context(request))
    return RedirectResponse(address(request, f"/decisions/{decision_id}"), 303)


def _require_ground_in_force(context: AppContext, decision: Decision) -> None:
    """Raise UserError where what a proposal rests on does not carry it any more and the catalogue still has the SKU."""
    try:
        dossier = dossier_of(context, decision.sku_id, decision.market)
    except UserError:
        return
    disposition, today = current_policy(context).disposition(decision.disposition), context.now().date()
    grounds = read_state(context, dossier).grounds
    if disposition.binds == "supplier":
        grounds = supplier_grounds(context, dossier.listing.supplier_id)
    carrying = {ground.row_id for ground in carrying_grounds(disposition, grounds, today)}
    if decision.fact_row and decision.fact_row not in carrying:
        raise UserError("The fact that it rests on does not stand any more. Decline it, and propose on what does.")


def _decision_page(
    request: Request, context: AppContext, person: Person, decision_id: str, refused: str | None = None
) -> Response:
    view = _approval_view(context, person, decisions_of(context).decision(decision_id), with_history=True)
    policy = current_policy(context)
    gentler = modifications(view.decision, policy)
    return page(
        request, "decision.html", 400 if refused else 200, view=view, decision=view.decision,
        disposition=policy.disposition(view.decision.disposition), policy=policy,
        outcomes=[each for each in OUTCOMES if each != "modified" or gentler], modifications=gentler,
        refused=refused, context=view.decision.decision_context,
        events_in_words=[action_words(row.action, json.loads(row.content)) for row in view.events],
        blinded=bool(blinded_keys(context, person, [view.decision.key])),
        answer_by={each.appeal_id: answer_due_on(each, policy) for each in view.appeals},
        barred_appeals={
            each.appeal_id: why_barred_from_answering(officer_of(person), view.decision, each) for each in view.appeals
        },
    )  # fmt: skip


def _approval_view(context: AppContext, person: Person, decision: Decision, with_history: bool = False) -> ApprovalView:
    barred = None
    try:
        require_role(officer_of(person), current_policy(context).disposition(decision.disposition))
    except UserError as refusal:
        barred = str(refusal)
    if officer_of(person).is_same_as(decision.proposed_by, decision.proposer_key):
        barred = "You proposed this. Another officer must approve it."
    if decision.state != PROPOSED:
        barred = "Nothing is awaiting approval."
    if not with_history:
        return ApprovalView(decision, barred)
    filed, events = appeals(context.engine, decision.decision_id), audit_rows(context.engine, decision.subject)
    return ApprovalView(decision, barred, tuple(filed), tuple(events))
