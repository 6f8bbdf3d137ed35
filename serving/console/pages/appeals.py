"""Appeals of sellers: open ones, filing, answering, counts of overturned ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Request, Response

from serving.console.case import current_policy, decisions_of, officer_of, signature_of
from serving.console.context import AppContext
from serving.console.pages.approvals import take_step
from serving.console.pages.decision import text
from serving.console.session import ContextDep, CurrentPerson, Person, VerifiedForm, requires_role
from serving.console.templating import page
from serving.decisions.appeals import (
    AppealAnswer,
    answer_appeal,
    answer_due_on,
    appeals,
    count_overturned,
    file_appeal,
    why_barred_from_answering,
)
from serving.decisions.records import Appeal, Decision

router = APIRouter()

CaseOfficer = Annotated[Person, requires_role("officer")]
MOST_LISTED = 100


@dataclass(frozen=True)
class OpenAppeal:
    """An open appeal for one person: the last day to answer, and why they are barred from it, else None."""

    appeal: Appeal
    decision: Decision
    due_on: date
    barred: str | None


@router.get("/appeals")
def overview(request: Request, context: ContextDep, person: CurrentPerson) -> Response:
    """The open appeals, the most urgent first; the newest answers; counts of overturned ones by reason."""
    filed = appeals(context.engine)
    decisions = decisions_of(context).by_ids({each.decision_id for each in filed})
    answered = [each for each in filed if each.outcome is not None]
    return page(
        request, "appeals.html", waiting=_open_appeals(context, person, filed, decisions),
        answered=answered[:MOST_LISTED], more=max(len(answered) - MOST_LISTED, 0), decisions=decisions,
        reasons=count_overturned(answered, decisions), policy=current_policy(context), today=context.now().date(),
    )  # fmt: skip


@router.post("/decisions/{decision_id}/appeal")
def appeal(
    request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm, decision_id: str
) -> Response:
    """File a seller's appeal."""
    decision, signature = decisions_of(context).decision(decision_id), signature_of(context, person)
    grounds, policy = text(form, "grounds"), current_policy(context)
    return take_step(
        request, person, decision_id, lambda: file_appeal(context.engine, decision, grounds, signature, policy)
    )


@router.post("/decisions/{decision_id}/appeals/{appeal_id}")
def answer(
    request: Request, context: ContextDep, person: CaseOfficer, form: VerifiedForm, decision_id: str, appeal_id: str
) -> Response:
    """Answer an appeal."""
    modified_to, _, code = text(form, "modified_to").partition("/")
    given = AppealAnswer(text(form, "outcome"), text(form, "note"), modified_to or None, code or None)
    signature = signature_of(context, person)
    policy = current_policy(context)
    return take_step(
        request, person, decision_id, lambda: answer_appeal(context.engine, appeal_id, given, signature, policy)
    )


def _open_appeals(
    context: AppContext, person: Person, filed: Sequence[Appeal], decisions: dict[str, Decision]
) -> list[OpenAppeal]:
    officer, policy = officer_of(person), current_policy(context)
    waiting = [
        OpenAppeal(each, decisions[each.decision_id], answer_due_on(each, policy),
                   why_barred_from_answering(officer, decisions[each.decision_id], each))
        for each in filed if each.outcome is None
    ]  # fmt: skip
    return sorted(waiting, key=lambda each: (each.due_on, each.appeal.filed_at))
