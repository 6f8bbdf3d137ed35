"""Resource `/outbox`: the letters that were sent and not delivered yet, for the channel that delivers them."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from serving.auth.permissions import current_principal, require_role
from serving.console.session import ContextDep
from serving.decisions.rules import Officer, Signature
from serving.letters.policy import letter_policy_in_force
from serving.letters.render import html_document
from serving.letters.store import DELIVERED, Letter, deliver, outbox
from serving.notices.letters import LANGUAGE, NoticeLetter, deliver_notice_letter, notice_outbox

MOST_LETTERS = 100
LAST_ROW = 2**53
"""The highest cursor: the largest whole number that every JSON reader keeps exactly."""

LetterId = Annotated[str, Path(min_length=1, max_length=200, description="the id of a letter in the outbox")]
Cursor = Annotated[int, Query(ge=0, le=LAST_ROW, description="the `cursor` of the answer before; 0 for the first")]


class OutboxLetter(BaseModel):
    """A letter to deliver, in its language (BCP 47), as HTML and as plain text: to a supplier, or to an email address.

    The latter is of a shopper who sent a notice; keep it no longer than the delivery takes.
    """

    id: str
    kind: str
    supplier_id: str | None
    email: str | None = None
    sku_id: str | None
    market: str | None
    language: str
    subject: str
    html: str
    text: str
    drafted_on: date
    sent_on: date


class OutboxAnswer(BaseModel):
    """Letters in the order of their sending, at most 100. Ask again with `cursor` until `letters` is empty."""

    letters: list[OutboxLetter]
    cursor: Annotated[int, Field(ge=0, le=LAST_ROW)]
    policy_version: str


class DeliveryAnswer(BaseModel):
    """The letter that was delivered, and when that was noted."""

    id: str
    state: str
    delivered_at: datetime


router = APIRouter(prefix="/outbox", dependencies=[Depends(require_role("officer", "admin"))])


@router.get("")
def waiting(context: ContextDep, after: Cursor = 0) -> OutboxAnswer:
    """The letters to sellers that officers sent, and those to shoppers, that nobody has delivered yet."""
    sent: list[tuple[int, OutboxLetter]] = [
        *((each.sent_row or 0, _outbox_letter(each)) for each in outbox(context.engine, after, MOST_LETTERS)),
        *((each.sent_row, _notice_letter(each)) for each in notice_outbox(context.engine, after, MOST_LETTERS)),
    ]
    letters = sorted(sent, key=lambda each: each[0])[:MOST_LETTERS]
    return OutboxAnswer(
        letters=[letter for _, letter in letters],
        cursor=letters[-1][0] if letters else after,
        policy_version=letter_policy_in_force(context.now().date()).version,
    )


@router.post("/{letter_id}/delivered")
def delivered(context: ContextDep, letter_id: LetterId) -> DeliveryAnswer:
    """Note that a letter was delivered. A second time changes nothing and gives the same answer."""
    key = current_principal()
    noted = deliver_notice_letter(context.engine, letter_id, key.name, context.now())
    if noted is not None:
        return DeliveryAnswer(id=letter_id, state=DELIVERED, delivered_at=datetime.fromisoformat(noted))
    letter = deliver(context.engine, letter_id, Signature(Officer(key.name, key.role, key.id), context.now()))
    return DeliveryAnswer(
        id=letter.letter_id, state=DELIVERED, delivered_at=datetime.fromisoformat(letter.delivered_at or "")
    )


def _outbox_letter(letter: Letter) -> OutboxLetter:
    subject = letter.subject or ""
    return OutboxLetter(
        id=letter.letter_id, kind=letter.kind, supplier_id=letter.supplier_id, sku_id=letter.sku_id,
        market=letter.market, language=letter.language, subject=subject,
        html=html_document(letter.language, subject, letter.html or ""), text=letter.text or "",
        drafted_on=date.fromisoformat(letter.drafted_at[:10]), sent_on=date.fromisoformat((letter.sent_at or "")[:10]),
    )  # fmt: skip


def _notice_letter(letter: NoticeLetter) -> OutboxLetter:
    sent_on = date.fromisoformat(letter.sent_at[:10])
    return OutboxLetter(
        id=letter.letter_id, kind=letter.kind, supplier_id=None, email=letter.email, sku_id=None, market=None,
        language=LANGUAGE, subject=letter.subject, html=html_document(LANGUAGE, letter.subject, letter.html),
        text=letter.text, drafted_on=sent_on, sent_on=sent_on,
    )  # fmt: skip
