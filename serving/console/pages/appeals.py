"""Appeals of sellers: which are open and until when, taking one in, answering one, how many were overturned."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from data.errors import UserError
from serving.console.case import decisions_of, officer_of, policy_today
from serving.console.context import AppContext
from serving.console.pages.approvals import done
from serving.console.pages.decision import text
from serving.console.session import AnyHouse, OwnForm, Person, SignedIn, may, signed_in
from serving.console.templating import page
from serving.decisions.appeals import (
    Overturned,
    answer_appeal,
    appeals,
    file_appeal,
    last_day_to_answer,
    overturned,
    why_not_to_answer,
)
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import Appeal, Decision
from serving.dsa.statement_of_reasons import Statement, statement_of, write_letter
from serving.dsa.transparency_database import transparency_record

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

UNBROKEN = 10_000
"""Line length of a letter that the browser wraps itself."""

ATTACHED = {"content-disposition": 'attachment; filename="{}"'}


@router.get("/decisions/{decision_id}/statement")
def both(request: Request, house: AnyHouse, decision_id: str) -> Response:
    """The letter and the record on one page."""
    decision = decisions_of(house).decision(decision_id)
    statement = _statement(decision)
    try:
        record, refused = _json(statement), None
    except UserError as refusal:
        record, refused = None, str(refusal)
    return page(
        request,
        "statement.html",
        decision=decision,
        letter=write_letter(statement, UNBROKEN),
        record=record,
        why=refused,
    )


@router.get("/decisions/{decision_id}/letter.txt")
def as_text(house: AnyHouse, decision_id: str) -> Response:
    """The letter alone."""
    said = write_letter(_statement(decisions_of(house).decision(decision_id)))
    return Response(said, media_type="text/plain; charset=utf-8", headers=_attached(f"{decision_id}.txt"))


@router.get("/decisions/{decision_id}/transparency.json")
def as_json(house: AnyHouse, decision_id: str) -> Response:
    """The record for the EU's transparency database alone."""
    said = _json(_statement(decisions_of(house).decision(decision_id)))
    return Response(said, media_type="application/json", headers=_attached(f"{decision_id}.json"))


def _statement(decision: Decision) -> Statement:
    """The statement under the policy of the day on which the decision came into force."""
    return statement_of(decision, decision_policy_in_force(date.fromisoformat(decision.since[:10])))


def _json(statement: Statement) -> str:
    return json.dumps(transparency_record(statement), indent=2, ensure_ascii=False) + "\n"


def _attached(name: str) -> dict[str, str]:
    return {key: value.format(name) for key, value in ATTACHED.items()}


CaseOfficer = Annotated[Person, may("officer")]
SHOWN = 100


@dataclass(frozen=True)
class OpenAppeal:
    """An open appeal for one person: the last day to answer it, and `barred`, why they may not; None where they may."""

    appeal: Appeal
    decision: Decision
    due_on: date
    barred: str | None


@router.get("/appeals")
def overview(request: Request, house: AnyHouse, person: SignedIn) -> Response:
    """The open appeals, the most urgent first; the newest answers, and the share overturned by reason."""
    filed = appeals(house.engine)
    on = decisions_of(house).by_ids({each.decision_id for each in filed})
    answered = [each for each in filed if each.outcome is not None]
    reasons: Sequence[Overturned] = overturned(answered, on)
    return page(
        request, "appeals.html", waiting=_open(house, person, filed, on), answered=answered[:SHOWN], decisions=on,
        more=max(len(answered) - SHOWN, 0), reasons=reasons, policy=policy_today(house), today=house.now().date(),
    )  # fmt: skip


@router.post("/decisions/{decision_id}/appeal")
def appeal(request: Request, house: AnyHouse, person: CaseOfficer, sent: OwnForm, decision_id: str) -> Response:
    """Take a seller's appeal in."""
    decision, said = decisions_of(house).decision(decision_id), (text(sent, "grounds"), house.now())
    policy = policy_today(house)
    return done(
        request, person, decision_id, lambda: file_appeal(house.engine, decision, officer_of(person), said, policy)
    )


@router.post("/decisions/{decision_id}/appeals/{appeal_id}")
def answer(
    request: Request, house: AnyHouse, person: CaseOfficer, sent: OwnForm, decision_id: str, appeal_id: str
) -> Response:
    """Answer an appeal."""
    said, policy = (text(sent, "outcome"), text(sent, "note"), house.now()), policy_today(house)
    return done(
        request, person, decision_id, lambda: answer_appeal(house.engine, appeal_id, officer_of(person), said, policy)
    )


def _open(house: AppContext, person: Person, filed: Sequence[Appeal], on: dict[str, Decision]) -> list[OpenAppeal]:
    officer, policy = officer_of(person), policy_today(house)
    told = [
        OpenAppeal(each, on[each.decision_id], last_day_to_answer(each, policy),
             why_not_to_answer(officer, on[each.decision_id], each))
        for each in filed if each.outcome is None
    ]  # fmt: skip
    return sorted(told, key=lambda each: (each.due_on, each.appeal.filed_at))
