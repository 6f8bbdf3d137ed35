"""Records of the verification desk: a document's check with its issuer, and what the issuer says of it."""

import json
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from serving.certificates.states import Answer, Reply, State, state_on
from serving.dossiers.records import Certificate


class DocumentKey(NamedTuple):
    """A document of a supplier."""

    supplier_id: str
    certificate_id: str


def key_of(document: Certificate) -> DocumentKey:
    """The key of a document."""
    return DocumentKey(document.supplier_id, document.certificate_id)


@dataclass(frozen=True)
class Said:
    """What the issuer or its register says of a document; None where it says nothing of it."""

    number: str | None = None
    holder: str | None = None
    model: str | None = None
    standard: str | None = None
    expires_on: date | None = None


@dataclass(frozen=True)
class IssuerAnswer:
    """An answer of an issuer, the day on which it was given, what it says of the document, its reply and a note."""

    answer: Answer
    answered_on: date
    said: Said = Said()
    reply: Reply | None = None
    note: str | None = None


@dataclass(frozen=True)
class Check:
    """A check of a document as it was claimed: question, answer, and who recorded and settled it.

    `sku_id` and `market` are the case that it came from. `state` is what is stored; `state_on` that of a day.
    """

    check_id: str
    document: Certificate
    sku_id: str | None
    market: str | None
    state: State
    opened_at: datetime
    channel: str | None
    asked_at: datetime | None
    asked_by: str | None
    due_on: date | None
    given: IssuerAnswer | None
    recorded_by: str | None
    recorder_key: str | None
    recorded_at: datetime | None
    settled_by: str | None
    settled_at: datetime | None

    def state_on(self, today: date) -> State:
        """The state on a day: a question whose last day is over is unanswered."""
        return state_on(self.state, self.due_on, today)


def read_check(row: Any) -> Check:
    """The check in a row of the table `issuer_checks`."""
    return Check(
        row.check_id, read_document(row.document), row.sku_id, row.market, row.state, _moment(row.opened_at),
        row.channel, _optional_moment(row.asked_at), row.asked_by, _day(row.due_on), _answer(row), row.recorded_by,
        row.recorder_key, _optional_moment(row.recorded_at), row.settled_by, _optional_moment(row.settled_at),
    )  # fmt: skip


def _answer(row: Any) -> IssuerAnswer | None:
    if row.answer is None:
        return None
    reply = Reply(row.reply_digest, row.reply_sender) if row.reply_digest and row.reply_sender else None
    return IssuerAnswer(row.answer, date.fromisoformat(row.answered_on), read_said(row.said), reply, row.note)


def read_said(text: str) -> Said:
    """Parse what `to_json` made of a `Said`."""
    values = json.loads(text)
    return Said(**{**values, "expires_on": _day(values["expires_on"])})


def read_document(text: str) -> Certificate:
    """Parse what `to_json` made of a document."""
    values = json.loads(text)
    days = {name: _day(values[name]) for name in ("happened_on", "known_on", "expires_on")}
    return Certificate(**{**values, **days})


def to_json(record: Certificate | Said) -> str:
    """A record as text."""
    return json.dumps(asdict(record), default=date.isoformat, sort_keys=True)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _optional_moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
