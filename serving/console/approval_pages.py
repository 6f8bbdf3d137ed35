"""What waits for a second pair of eyes, one decision with all that became of it, and appeals against it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from data.ledger import Row, rows
from data.refusal import Refusal
from serving.console.casework import decisions_of, officer_of, policy_today
from serving.console.decision_page import text
from serving.console.house import House
from serving.console.pages import address, page
from serving.console.session import AnyHouse, OwnForm, Person, SignedIn, may, signed_in
from serving.decisions.appeals import OUTCOMES, answer_appeal, appeals, file_appeal
from serving.decisions.record import PROPOSED, Appeal, Decision
from serving.decisions.rules import require_role

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

CaseOfficer = Annotated[Person, may("officer")]
SHOWN = 200


@dataclass(frozen=True)
class Standing:
    """A decision for one person: `barred` says why they may not approve it, None where they may."""

    decision: Decision
    barred: str | None
    appeals: tuple[Appeal, ...] = ()
    deeds: tuple[Row, ...] = ()


@router.get("/decisions")
def overview(request: Request, house: AnyHouse, person: SignedIn) -> Response:
    """The proposals that wait, the appeals that are open, and what is in force."""
    kept = decisions_of(house)
    waiting = [_standing(house, person, each) for each in kept.waiting()]
    in_force = kept.in_force(house.now().date())
    every = {each.appeal_id: each for each in appeals(house.engine) if each.outcome is None}
    return page(
        request, "decisions.html", waiting=waiting, in_force=in_force[:SHOWN], more=max(len(in_force) - SHOWN, 0),
        open_appeals=list(every.values()), policy=policy_today(house),
    )  # fmt: skip


@router.get("/decisions/{decision_id}")
def one(request: Request, house: AnyHouse, person: SignedIn, decision_id: str) -> Response:
    """A decision: what it rests on, who proposed and settled it, its statement of reasons, appeals, the ledger."""
    return _one(request, house, person, decision_id)


@router.post("/decisions/{decision_id}/approve")
def approve(request: Request, house: AnyHouse, person: CaseOfficer, sent: OwnForm, decision_id: str) -> Response:
    """Put a proposal into force."""
    try:
        decisions_of(house).approve(decision_id, officer_of(person), house.now(), text(sent, "note"))
    except Refusal as refusal:
        return _one(request, house, person, decision_id, str(refusal))
    return RedirectResponse(address(request, f"/decisions/{decision_id}"), 303)


@router.post("/decisions/{decision_id}/decline")
def decline(request: Request, house: AnyHouse, person: CaseOfficer, sent: OwnForm, decision_id: str) -> Response:
    """Refuse a proposal, or take one's own back."""
    try:
        decisions_of(house).decline(decision_id, officer_of(person), house.now(), text(sent, "note"))
    except Refusal as refusal:
        return _one(request, house, person, decision_id, str(refusal))
    return RedirectResponse(address(request, f"/decisions/{decision_id}"), 303)


@router.post("/decisions/{decision_id}/appeal")
def appeal(request: Request, house: AnyHouse, person: CaseOfficer, sent: OwnForm, decision_id: str) -> Response:
    """Take a seller's appeal in."""
    decision = decisions_of(house).decision(decision_id)
    try:
        said = (text(sent, "grounds"), house.now())
        file_appeal(house.engine, decision, officer_of(person), said, policy_today(house))
    except Refusal as refusal:
        return _one(request, house, person, decision_id, str(refusal))
    return RedirectResponse(address(request, f"/decisions/{decision_id}"), 303)


@router.post("/decisions/{decision_id}/appeals/{appeal_id}")
def answer(
    request: Request, house: AnyHouse, person: CaseOfficer, sent: OwnForm, decision_id: str, appeal_id: str
) -> Response:
    """Answer an appeal."""
    try:
        said = (text(sent, "outcome"), text(sent, "note"), house.now())
        answer_appeal(house.engine, appeal_id, officer_of(person), said, policy_today(house))
    except Refusal as refusal:
        return _one(request, house, person, decision_id, str(refusal))
    return RedirectResponse(address(request, f"/decisions/{decision_id}"), 303)


def _one(request: Request, house: House, person: Person, decision_id: str, refused: str | None = None) -> Response:
    standing = _standing(house, person, decisions_of(house).decision(decision_id), with_history=True)
    policy = policy_today(house)
    return page(
        request, "decision.html", 400 if refused else 200, standing=standing, decision=standing.decision,
        disposition=policy.disposition(standing.decision.disposition), policy=policy, outcomes=OUTCOMES,
        refused=refused,
    )  # fmt: skip


def _standing(house: House, person: Person, decision: Decision, with_history: bool = False) -> Standing:
    barred = None
    try:
        require_role(officer_of(person), policy_today(house).disposition(decision.disposition))
    except Refusal as refusal:
        barred = str(refusal)
    if officer_of(person).is_same_as(decision.proposed_by, decision.proposer_key):
        barred = "You proposed it; somebody else approves it."
    if decision.state != PROPOSED:
        barred = "Nothing waits for approval."
    if not with_history:
        return Standing(decision, barred)
    deeds = tuple(rows(house.engine, decision.subject))
    return Standing(decision, barred, tuple(appeals(house.engine, decision.decision_id)), deeds)
