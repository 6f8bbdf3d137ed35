"""Letters to who sent a notice: that it was received, and what was decided; they go out without an officer's hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from tomllib import loads

import sqlalchemy as sa
from markupsafe import Markup

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.notice_schema import NOTICE_LETTERS, NOTICE_REPORTS, NOTICES
from data.database.schema import DECISION_FACTS, DECISIONS
from serving.decisions.policy import DecisionPolicy, decision_policy_in_force
from serving.decisions.records import IN_FORCE
from serving.letters.policy import letter_policy_in_force
from serving.letters.sentences import Sentence, sentence
from serving.letters.words import LetterWords, words_of
from serving.notices.policy import notice_policy_in_force
from serving.notices.store import ShopperNotice

RECEIVED, OUTCOME = "notice_received", "notice_outcome"
LANGUAGE = "en"
SENDER = "touchstone"
_ANSWERS = ("pause", "remove", "recall", "suspend", "no_action")
"""The decisions that have words of their own."""


@dataclass(frozen=True)
class NoticeLetter:
    """A row of the table `notice_letters`: a letter in the outbox, to an address; it is deleted with its notice."""

    letter_id: str
    reference: str
    kind: str
    email: str
    sent_at: str
    sent_row: int
    subject: str
    text: str
    html: str
    delivered_at: str | None = None


@dataclass(frozen=True)
class LetterContent:
    """What a letter says, and to which address it goes."""

    kind: str
    email: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class DecidedNotice:
    """A notice on which was decided, the address of who sent it, and the decision."""

    notice: ShopperNotice
    email: str
    disposition: str


@lru_cache(maxsize=1)
def notice_words() -> LetterWords:
    """The words of these letters."""
    tables = loads((Path(__file__).parent / "words" / f"{LANGUAGE}.toml").read_text(encoding="utf-8"))
    own = {f"{group}.{name}": words for group, table in tables.items() for name, words in table.items()}
    return LetterWords(LANGUAGE, {**words_of(LANGUAGE).templates, **own})


def acknowledge(engine: sa.Engine, notice: ShopperNotice, email: str, now: datetime) -> None:
    """Put the acknowledgement of a notice into the outbox, once."""
    _send(engine, notice, LetterContent(RECEIVED, email, tuple(_received(notice, now.date()))), now)


def send_outcomes(engine: sa.Engine, now: datetime) -> int:
    """Put a letter into the outbox for every notice with an address on which was decided; return how many are new."""
    policy = decision_policy_in_force(now.date())
    with read_transaction(engine) as connection:
        decided = list(_decided(connection, policy))
    for each in decided:
        content = LetterContent(OUTCOME, each.email, tuple(_outcome(each.disposition, now.date())))
        _send(engine, each.notice, content, now)
    return len(decided)


def notice_outbox(engine: sa.Engine, after: int, most: int) -> list[NoticeLetter]:
    """The letters that were put in after the ledger's row `after` and not delivered, in that order."""
    waiting = sa.and_(NOTICE_LETTERS.c.delivered_at.is_(None), NOTICE_LETTERS.c.sent_row > after)
    query = sa.select(NOTICE_LETTERS).where(waiting).order_by(NOTICE_LETTERS.c.sent_row).limit(most)
    with read_transaction(engine) as connection:
        return [NoticeLetter(**row._mapping) for row in connection.execute(query)]


def deliver_notice_letter(engine: sa.Engine, letter_id: str, actor: str, now: datetime) -> str | None:
    """Note that a letter was delivered, and when; None where there is no such letter. A second time changes nothing."""
    with write_transaction(engine) as connection:
        row = connection.execute(sa.select(NOTICE_LETTERS).where(NOTICE_LETTERS.c.letter_id == letter_id)).one_or_none()
        if row is None or row.delivered_at is not None:
            return row.delivered_at if row is not None else None
        event = AuditEvent(actor, "deliver_letter", row.reference, {"letter": letter_id})
        at = record_event_in(connection, event, now).recorded_at
        connection.execute(
            sa.update(NOTICE_LETTERS).where(NOTICE_LETTERS.c.letter_id == letter_id).values(delivered_at=at)
        )
        return at


def _received(notice: ShopperNotice, today: date) -> Iterator[Sentence]:
    days = decision_policy_in_force(today).deadlines.notice
    yield sentence("letter.received", day=notice.received_on, days=str(days))
    yield sentence("letter.stop")
    yield sentence("letter.data", personal_days=str(notice_policy_in_force(today).personal_days))


def _outcome(disposition: str, today: date) -> Iterator[Sentence]:
    yield sentence(f"letter.outcome_{disposition if disposition in _ANSWERS else 'other'}")
    yield sentence("letter.people")
    yield sentence("letter.rights")
    yield sentence("letter.data", personal_days=str(notice_policy_in_force(today).personal_days))


def _decided(connection: sa.Connection, policy: DecisionPolicy) -> Iterator[DecidedNotice]:
    """The notices with an address and no outcome yet whose case a decision in force settles."""
    settling = [each.name for each in policy.declared if each.restricts or "notice" in each.stops]
    answered = sa.exists().where(
        NOTICE_LETTERS.c.reference == NOTICES.c.reference, NOTICE_LETTERS.c.kind == OUTCOME
    )  # fmt: skip
    query = (
        sa.select(NOTICES, NOTICE_REPORTS.c.email, DECISIONS.c.disposition)
        .join(NOTICE_REPORTS, NOTICE_REPORTS.c.reference == NOTICES.c.reference)
        .join(DECISION_FACTS, DECISION_FACTS.c.row_id == NOTICES.c.case_id)
        .join(DECISIONS, DECISIONS.c.decision_id == DECISION_FACTS.c.decision_id)
        .where(NOTICE_REPORTS.c.email.is_not(None), ~answered, DECISIONS.c.state == IN_FORCE,
               DECISIONS.c.disposition.in_(settling))
        .order_by(NOTICES.c.received_at, DECISIONS.c.ledger_row)
    )  # fmt: skip
    for row in connection.execute(query):
        values = dict(row._mapping)
        email, disposition = values.pop("email"), values.pop("disposition")
        yield DecidedNotice(ShopperNotice(**values), email, disposition)


def _send(engine: sa.Engine, notice: ShopperNotice, content: LetterContent, now: datetime) -> None:
    """Store a letter about a notice, unless there is one of its kind."""
    kind = content.kind
    words, sender = notice_words(), letter_policy_in_force(now.date()).sender
    subject = words.text(f"letter.subject_{kind.removeprefix('notice_')}", {"reference": notice.reference})
    said = (sentence("letter.dear", reference=notice.reference), *content.sentences)
    lines = [words.text(each.key, each.values) for each in said]
    text = "\n\n".join([*lines, f"{sender.name}, {sender.email}"]) + "\n"
    body = Markup().join(Markup("<p>{}</p>").format(words.html(each.key, each.values)) for each in said)
    html = Markup("<article><h2>{}</h2>{}<p>{}, {}</p></article>").format(subject, body, sender.name, sender.email)
    try:
        with write_transaction(engine) as connection:
            event = AuditEvent(SENDER, "send_notice_letter", notice.reference, {"kind": kind})
            row = record_event_in(connection, event, now)
            letter = NoticeLetter(
                f"n-{row.hash[:12]}", notice.reference, kind, content.email, row.recorded_at, row.number, subject, text,
                str(html),
            )  # fmt: skip
            connection.execute(sa.insert(NOTICE_LETTERS).values(**vars(letter)))
    except sa.exc.IntegrityError:
        return
