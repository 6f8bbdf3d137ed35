"""The table of letters: draft, checked, sent, delivered; every step is a row of the ledger in the same transaction."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, AuditRow, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import LETTERS
from data.errors import NotFoundError, UserError
from serving.decisions.rules import Signature
from serving.letters.facts import LetterKind
from serving.letters.render import RenderedLetter
from serving.seller.links import NewLink, insert_link

DRAFT, CHECKED, SENT, DELIVERED, WITHDRAWN = "draft", "checked", "sent", "delivered", "withdrawn"
TO_SEND = (DRAFT, CHECKED)
"""The states of letters that somebody has to check or to send."""

DRAFTED_BY = "touchstone"
"""The actor of the ledger's rows about drafts, which follow from what people did."""


@dataclass(frozen=True)
class OwedLetter:
    """A letter that is owed: its kind, the id of what it is about, and to whom it goes.

    `about` is a decision, an appeal, a test or a corrective action.
    """

    kind: LetterKind
    about: str
    supplier_id: str
    sku_id: str | None = None
    market: str | None = None
    title: str | None = None

    @property
    def subject(self) -> str:
        """What the ledger's rows are about: the SKU, or the supplier."""
        return f"{self.sku_id} {self.market}" if self.sku_id else self.supplier_id


@dataclass(frozen=True)
class Letter:
    """A row of the table `letters`. `state` is draft, checked, sent, delivered or withdrawn; times are ISO 8601 in UTC.

    `checked_digest` is that of the facts that were checked; `subject`, `html` and `text` are those that were sent, None
    before; `sent_row` is the number of the ledger's row of the sending.
    """

    letter_id: str
    kind: str
    about: str
    supplier_id: str
    sku_id: str | None
    market: str | None
    title: str | None
    state: str
    language: str
    drafted_at: str
    checked_at: str | None = None
    checked_by: str | None = None
    checked_digest: str | None = None
    sent_at: str | None = None
    sent_by: str | None = None
    sent_row: int | None = None
    delivered_at: str | None = None
    subject: str | None = None
    html: str | None = None
    text: str | None = None

    @property
    def owed(self) -> OwedLetter:
        """What it was drafted for."""
        return OwedLetter(
            LetterKind(self.kind), self.about, self.supplier_id, self.sku_id, self.market, self.title
        )  # fmt: skip

    @property
    def is_sent(self) -> bool:
        """Whether it was sent, so that it changes no more."""
        return self.sent_at is not None

    @property
    def sent_on(self) -> date | None:
        """The day on which it was sent."""
        return date.fromisoformat(self.sent_at[:10]) if self.sent_at else None


def insert_draft(engine: sa.Engine, owed: OwedLetter, language: str, now: datetime) -> bool:
    """Draft a letter; false where one of its kind about the same thing is there already."""
    try:
        with write_transaction(engine) as connection:
            content = {"kind": owed.kind.value, "about": owed.about, "supplier": owed.supplier_id}
            row = record_event_in(connection, AuditEvent(DRAFTED_BY, "draft_letter", owed.subject, content), now)
            letter = Letter(
                f"l-{row.hash[:12]}", owed.kind.value, owed.about, owed.supplier_id, owed.sku_id, owed.market,
                owed.title, DRAFT, language, row.recorded_at,
            )  # fmt: skip
            connection.execute(sa.insert(LETTERS).values(**asdict(letter)))
    except sa.exc.IntegrityError:
        return False
    return True


def withdraw(engine: sa.Engine, letter: Letter, why: str, now: datetime) -> None:
    """Withdraw a letter that was not sent and is not owed any more."""
    with write_transaction(engine) as connection:
        before = _letter_by_id(connection, letter.letter_id, lock=True)
        if before.state in TO_SEND:
            event = AuditEvent(
                DRAFTED_BY, "withdraw_letter", before.owed.subject, {"letter": before.letter_id, "why": why}
            )
            record_event_in(connection, event, now)
            _update(connection, before, {"state": WITHDRAWN})


def check(engine: sa.Engine, letter_id: str, digest: str, language: str, signature: Signature) -> Letter:
    """Note that somebody checked a letter with facts of this digest in this language; UserError once it was sent.

    The same check by the same officer again, as by a double click, changes nothing.
    """
    with write_transaction(engine) as connection:
        before = _letter_by_id(connection, letter_id, lock=True)
        if before.state not in TO_SEND:
            raise UserError(f"Letter {letter_id} is {before.state}; only a letter that was not sent can be checked.")
        if (before.checked_by, before.checked_digest, before.language) == (signature.officer.name, digest, language):
            return before
        content = {"letter": letter_id, "digest": digest, "language": language}
        at = _record(connection, before, "check_letter", signature, content).recorded_at
        return _update(connection, before, {
            "state": CHECKED, "checked_at": at, "checked_by": signature.officer.name, "checked_digest": digest,
            "language": language,
        })  # fmt: skip


@dataclass(frozen=True)
class CheckedContent:
    """What is sent: the digest of its facts, which must be the one that was checked, and the letter.

    `page` is the seller's page whose address the letter carries, None where it carries none.
    """

    digest: str
    rendered: RenderedLetter
    page: NewLink | None = None


def send(engine: sa.Engine, letter_id: str, content: CheckedContent, signature: Signature) -> Letter:
    """Put a checked letter into the outbox; sending it again changes nothing.

    Raises UserError where it was not checked, or where its facts changed since: then it has to be checked again.
    """
    with write_transaction(engine) as connection:
        before = _letter_by_id(connection, letter_id, lock=True)
        if before.is_sent:
            return before
        if before.state != CHECKED:
            raise UserError(f"Letter {letter_id} is a {before.state}. Check it first, then send it.")
        rendered = content.rendered
        if (before.checked_digest, before.language) != (content.digest, rendered.language):
            raise UserError(
                f"What letter {letter_id} says has changed since {before.checked_by} checked it. Check it again."
            )
        if content.page is not None:
            insert_link(connection, content.page, signature)
        row = _record(connection, before, "send_letter", signature, {"letter": letter_id, "digest": content.digest})
        return _update(connection, before, {
            "state": SENT, "sent_at": row.recorded_at, "sent_by": signature.officer.name, "sent_row": row.number,
            "subject": rendered.subject, "html": rendered.html, "text": rendered.text,
        })  # fmt: skip


def deliver(engine: sa.Engine, letter_id: str, signature: Signature) -> Letter:
    """Note that the channel delivered a letter; a second time changes nothing. UserError where it was not sent."""
    with write_transaction(engine) as connection:
        before = _letter_by_id(connection, letter_id, lock=True)
        if before.state == DELIVERED:
            return before
        if before.state != SENT:
            raise UserError(f"Letter {letter_id} is {before.state}, not sent; it cannot have been delivered.")
        row = _record(connection, before, "deliver_letter", signature, {"letter": letter_id})
        return _update(connection, before, {"state": DELIVERED, "delivered_at": row.recorded_at})


def letter_by_id(engine: sa.Engine, letter_id: str) -> Letter:
    """The letter of this id; UserError where there is none."""
    with read_transaction(engine) as connection:
        return _letter_by_id(connection, letter_id)


def letters_about(engine: sa.Engine, about: str, kinds: Collection[LetterKind]) -> list[Letter]:
    """The letters of these kinds about a decision, an appeal, a test or a corrective action."""
    return _list(engine, sa.and_(LETTERS.c.about == about, LETTERS.c.kind.in_([each.value for each in kinds])))


def letters_to(engine: sa.Engine, supplier_id: str, sku_id: str | None, market: str | None) -> list[Letter]:
    """The letters to a supplier about a SKU, or about itself where that is None, that were sent, the newest first."""
    table = LETTERS.c
    condition = sa.and_(
        table.supplier_id == supplier_id, table.sku_id.is_not_distinct_from(sku_id),
        table.market.is_not_distinct_from(market), table.state.in_((SENT, DELIVERED)),
    )  # fmt: skip
    query = sa.select(LETTERS).where(condition).order_by(table.sent_row.desc())
    with read_transaction(engine) as connection:
        return [Letter(**row._mapping) for row in connection.execute(query)]


def letters_in(engine: sa.Engine, states: Collection[str], most: int | None = None) -> list[Letter]:
    """The letters in these states, the oldest draft first, at most so many."""
    return _list(engine, LETTERS.c.state.in_(states), most)


def newest_letters(engine: sa.Engine, states: Collection[str], most: int) -> list[Letter]:
    """The letters in these states that were sent last, the newest first."""
    query = sa.select(LETTERS).where(LETTERS.c.state.in_(states)).order_by(LETTERS.c.sent_row.desc()).limit(most)
    with read_transaction(engine) as connection:
        return [Letter(**row._mapping) for row in connection.execute(query)]


def outbox(engine: sa.Engine, after: int, most: int) -> list[Letter]:
    """The letters that were sent after the ledger's row `after` and not delivered, in that order, at most so many."""
    waiting = sa.and_(LETTERS.c.state == SENT, LETTERS.c.sent_row > after)
    query = sa.select(LETTERS).where(waiting).order_by(LETTERS.c.sent_row).limit(most)
    with read_transaction(engine) as connection:
        return [Letter(**row._mapping) for row in connection.execute(query)]


def count_letters(engine: sa.Engine) -> dict[str, int]:
    """The number of letters by state."""
    query = sa.select(LETTERS.c.state, sa.func.count()).group_by(LETTERS.c.state)
    with read_transaction(engine) as connection:
        return {state: int(count) for state, count in connection.execute(query)}


def count_letters_to_send(engine: sa.Engine) -> int:
    """The number of letters that wait to be checked or sent."""
    counts = count_letters(engine)
    return sum(counts.get(state, 0) for state in TO_SEND)


def _list(engine: sa.Engine, condition: sa.ColumnElement[bool], most: int | None = None) -> list[Letter]:
    query = sa.select(LETTERS).where(condition).order_by(LETTERS.c.drafted_at, LETTERS.c.letter_id).limit(most)
    with read_transaction(engine) as connection:
        return [Letter(**row._mapping) for row in connection.execute(query)]


def _letter_by_id(connection: sa.Connection, letter_id: str, lock: bool = False) -> Letter:
    query = sa.select(LETTERS).where(LETTERS.c.letter_id == letter_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no letter {letter_id!r}. Open the list of letters.")
    return Letter(**row._mapping)


def _record(
    connection: sa.Connection, letter: Letter, action: str, signature: Signature, content: dict[str, Any]
) -> AuditRow:
    officer = signature.officer
    event = AuditEvent(officer.name, action, letter.owed.subject, {**content, "key": officer.key_id})
    return record_event_in(connection, event, signature.at)


def _update(connection: sa.Connection, before: Letter, changed: dict[str, Any]) -> Letter:
    connection.execute(sa.update(LETTERS).where(LETTERS.c.letter_id == before.letter_id).values(**changed))
    return replace(before, **changed)
