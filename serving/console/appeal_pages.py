"""Appeals of sellers: which are open and until when, taking one in, answering one, how many were overturned."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from serving.console.approval_pages import done
from serving.console.casework import decisions_of, officer_of, policy_today
from serving.console.decision_page import text
from serving.console.house import House
from serving.console.pages import page
from serving.console.session import AnyHouse, OwnForm, Person, SignedIn, may, signed_in
from serving.decisions.appeals import (
    Overturned,
    answer_appeal,
    appeals,
    file_appeal,
    last_day_to_answer,
    overturned,
    why_not_to_answer,
)
from serving.decisions.record import Appeal, Decision

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

CaseOfficer = Annotated[Person, may("officer")]
SHOWN = 100


@dataclass(frozen=True)
class Open:
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


def _open(house: House, person: Person, filed: Sequence[Appeal], on: dict[str, Decision]) -> list[Open]:
    officer, policy = officer_of(person), policy_today(house)
    told = [
        Open(each, on[each.decision_id], last_day_to_answer(each, policy),
             why_not_to_answer(officer, on[each.decision_id], each))
        for each in filed if each.outcome is None
    ]  # fmt: skip
    return sorted(told, key=lambda each: (each.due_on, each.appeal.filed_at))
