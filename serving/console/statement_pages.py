"""The drafts of a decision's statement of reasons, to read and to take away."""

import json
from datetime import date

from fastapi import APIRouter, Depends, Request, Response

from data.errors import Refusal
from serving.console.casework import decisions_of
from serving.console.pages import page
from serving.console.session import AnyHouse, signed_in
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.record import Decision
from serving.statements.letter import letter
from serving.statements.statement import Statement, statement_of
from serving.statements.transparency import transparency_record

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
    except Refusal as refusal:
        record, refused = None, str(refusal)
    return page(
        request, "statement.html", decision=decision, letter=letter(statement, UNBROKEN), record=record, why=refused
    )


@router.get("/decisions/{decision_id}/letter.txt")
def as_text(house: AnyHouse, decision_id: str) -> Response:
    """The letter alone."""
    said = letter(_statement(decisions_of(house).decision(decision_id)))
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
