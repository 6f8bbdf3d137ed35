"""Resource `/certificates`: open questions to issuers of documents, and their answers, each judged by itself."""

import re
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from data.errors import UnavailableError, UserError
from serving.auth.permissions import current_principal, require_role
from serving.certificates.files import AnsweredRow
from serving.certificates.intake import record_answers
from serving.certificates.records import Check, IssuerAnswer, Said
from serving.certificates.states import Answer, Reply
from serving.certificates.store import Desk, checks_of, open_desk
from serving.console.session import ContextDep
from serving.decisions.rules import Officer, Signature
from serving.schemas import Question

MOST_ANSWERS = 500
EXAMPLE = {"answers": [{"question_id": "q-0f3a9c2b71de", "answer": "confirmed", "answered_on": "2026-07-03"}]}
Short = Annotated[str, Field(min_length=1, max_length=200)]


def _day_in_text(value: object) -> object:
    """Refuse numbers, which would be read as seconds since 1970, and times."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.A):
        return value
    raise ValueError("a day is written like 2026-07-01")


Day = Annotated[date, BeforeValidator(_day_in_text)]


class OpenQuestion(BaseModel):
    """A question that its issuer has not answered: the document as the seller claims it."""

    question_id: str
    issuer: str | None
    certificate_id: str
    supplier_id: str
    sku_id: str | None
    scheme: str | None
    number: str | None
    holder: str | None
    standard: str | None
    expires_on: date | None
    due_on: date | None


class QuestionsAnswer(BaseModel):
    """The open questions by their day, at most 500; those that were answered are left out."""

    questions: list[OpenQuestion]
    policy_version: str


class GivenAnswer(BaseModel):
    """An issuer's answer to one question: the day on which it was given, and what the issuer says of the document.

    `denied` and `withdrawn` need the SHA-256 of the issuer's reply and the address or domain that sent it, and a second
    officer. `no_answer` closes the question and is no fact.
    """

    model_config = ConfigDict(extra="forbid")

    question_id: Short
    answer: Answer | Literal["no_answer"]
    answered_on: Day
    number: Short | None = None
    holder: Short | None = None
    model: Short | None = None
    standard: Short | None = None
    expires_on: Day | None = None
    reply_digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    reply_sender: Short | None = None


class AnswersQuestion(Question):
    """What issuers answered."""

    answers: Annotated[list[GivenAnswer], Field(min_length=1, max_length=MOST_ANSWERS)]


class RefusedAnswer(BaseModel):
    """A refused answer: its position in the question from 0 (`place`), and why."""

    place: int
    question_id: str
    why: str


class AnswersAnswer(BaseModel):
    """Ids of questions: `recorded` count at once, `proposed` await a second officer, `closed` stay unanswered.

    `known` were recorded before. The same question twice changes nothing.
    """

    recorded: list[str]
    proposed: list[str]
    closed: list[str]
    known: list[str]
    refused: list[RefusedAnswer]
    policy_version: str


router = APIRouter(prefix="/certificates", dependencies=[Depends(require_role("officer", "admin"))])


@router.get("/questions")
def questions(
    context: ContextDep,
    issuer: Annotated[str | None, Query(min_length=1, max_length=200, description="those to this issuer only")] = None,
) -> QuestionsAnswer:
    """The questions that wait for an answer."""
    desk = _desk(context)
    waiting = [
        check
        for check in checks_of(context.engine).values()
        if check.state_on(desk.today) == "asked" and issuer in (None, check.document.issuer)
    ]
    waiting.sort(key=lambda check: (check.due_on or date.max, check.check_id))
    return QuestionsAnswer(
        questions=[_open_question(each) for each in waiting[:MOST_ANSWERS]], policy_version=desk.issuers.version
    )


@router.post("/answers", openapi_extra={"requestBody": {"content": {"application/json": {"example": EXAMPLE}}}})
def answers(context: ContextDep, given: AnswersQuestion) -> AnswersAnswer:
    """Record what issuers answered; a broken answer costs the others nothing."""
    desk, key = _desk(context), current_principal()
    checks = {check.check_id: check for check in checks_of(context.engine).values()}
    rows = [_row(place, each, checks) for place, each in enumerate(given.answers)]
    judged = record_answers(desk, rows, Signature(Officer(key.person, key.role, key.id), context.now()))
    named = [(each, given.answers[each.row.line].question_id) for each in judged]
    ids = {outcome: [name for each, name in named if each.outcome == outcome]
           for outcome in ("recorded", "proposed", "closed", "known")}  # fmt: skip
    return AnswersAnswer(
        **ids, policy_version=desk.issuers.version,
        refused=[RefusedAnswer(place=each.row.line, question_id=name, why=each.why)
                 for each, name in named if each.outcome == "refused"],
    )  # fmt: skip


def _desk(context: ContextDep) -> Desk:
    try:
        return open_desk(context.engine, context.settings.workspace, context.now().date())
    except UserError as error:
        raise UnavailableError(str(error)) from error


def _row(place: int, each: GivenAnswer, checks: dict[str, Check]) -> AnsweredRow:
    """The answer as a row of a file at its position."""
    check = checks.get(each.question_id)
    if check is None:
        return AnsweredRow(place, None, None, f"there is no question {each.question_id!r}")
    if each.answer == "no_answer":
        return AnsweredRow(place, check, None, None, is_closed=True)
    reply = Reply(each.reply_digest, each.reply_sender) if each.reply_digest and each.reply_sender else None
    said = Said(each.number, each.holder, each.model, each.standard, each.expires_on)
    return AnsweredRow(place, check, IssuerAnswer(each.answer, each.answered_on, said, reply), None)


def _open_question(check: Check) -> OpenQuestion:
    paper = check.document
    return OpenQuestion(
        question_id=check.check_id, issuer=paper.issuer, certificate_id=paper.certificate_id,
        supplier_id=paper.supplier_id, sku_id=paper.sku_id, scheme=paper.scheme, number=paper.number,
        holder=paper.holder, standard=paper.standard, expires_on=paper.expires_on, due_on=check.due_on,
    )  # fmt: skip
