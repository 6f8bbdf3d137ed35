"""The store of the verification desk: questions and answers with rows of the ledger, and the rows they lead to."""

import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from data.contract import CERTIFICATES
from data.database.audit_log import AuditEvent, Versions, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.desk_schema import ISSUER_CHECKS
from data.errors import NotFoundError, UserError
from data.handed_in_rows import HandIn, RowSender, accept_rows_in, file_rows
from data.workspace import Workspace
from serving.certificates.issuer_policy import IssuerPolicy, issuer_policy_in_force
from serving.certificates.records import Check, DocumentKey, IssuerAnswer, key_of, read_check, to_json
from serving.certificates.rules import broken_answer_rules, why_not_asked
from serving.certificates.states import State, next_state
from serving.decisions.deadlines import add_working_days
from serving.decisions.document_policy import DocumentPolicy, document_policy_in_force
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import SkuKey
from serving.decisions.rules import Signature
from serving.dossiers.records import Certificate

AT_ONCE = 5_000
_TABLE = ISSUER_CHECKS


@dataclass(frozen=True)
class Desk:
    """The database and workspace of the desk, and the policies of a day."""

    engine: sa.Engine
    workspace: Workspace
    issuers: IssuerPolicy
    documents: DocumentPolicy
    today: date

    def due_on(self, issuer: str | None) -> date:
        """The last day for the answer to a question of today."""
        holidays = decision_policy_in_force(self.today).deadlines.holidays
        return add_working_days(self.today, self.issuers.days_to_answer(issuer), holidays)

    @property
    def versions(self) -> Versions:
        """The policy that an act rests on."""
        return Versions(policy=self.issuers.version)


def open_desk(engine: sa.Engine, workspace: Workspace, today: date) -> Desk:
    """The desk of a day. Raises UserError where a policy is missing or broken."""
    return Desk(engine, workspace, issuer_policy_in_force(today), document_policy_in_force(today), today)


@dataclass(frozen=True)
class AskedDocument:
    """A document with the case that it is asked about for."""

    document: Certificate
    case: SkuKey | None


def checks_of(engine: sa.Engine, keys: Collection[DocumentKey] | None = None) -> dict[DocumentKey, Check]:
    """The newest check of each document, of all or of some."""
    newest: dict[DocumentKey, Check] = {}
    with read_transaction(engine) as connection:
        for row in _rows(connection, keys):
            check = read_check(row)
            newest[key_of(check.document)] = check
    return newest


def _rows(connection: sa.Connection, keys: Collection[DocumentKey] | None) -> Iterable[Any]:
    query = sa.select(_TABLE).order_by(_TABLE.c.opened_at, _TABLE.c.check_id)
    if keys is None:
        return connection.execute(query).all()
    ids, rows = sorted({key.certificate_id for key in keys}), list[Any]()
    for start in range(0, len(ids), AT_ONCE):
        rows += connection.execute(query.where(_TABLE.c.certificate_id.in_(ids[start : start + AT_ONCE]))).all()
    return [row for row in rows if (row.supplier_id, row.certificate_id) in keys]


def check_by_id(engine: sa.Engine, check_id: str) -> Check:
    """The check of an id. Raises NotFoundError where there is none."""
    with read_transaction(engine) as connection:
        row = connection.execute(sa.select(_TABLE).where(_TABLE.c.check_id == check_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no question {check_id!r} to an issuer.")
    return read_check(row)


def ask(desk: Desk, asked: Sequence[AskedDocument], channel: str, officer: Signature) -> tuple[Check, ...]:
    """Record that the issuers of documents were asked, each as soon as it can be; those that can not be are left out.

    Raises UserError with the reason where not one can be asked.
    """
    opened, why = list[str](), list[str]()
    with _locked(desk.engine) as connection:
        before = _newest(connection, [key_of(each.document) for each in asked])
        asking = _Asking(desk, channel, officer, before)
        for each in asked:
            try:
                opened.append(asking.ask(connection, each))
            except UserError as refusal:
                why.append(str(refusal))
    if not opened:
        raise UserError(why[0] if why else "No document was given, so nobody was asked.")
    return tuple(check_by_id(desk.engine, each) for each in opened)


@dataclass(frozen=True)
class _Asking:
    """How somebody asks: the desk, the channel, the officer, and the checks before, by document."""

    desk: Desk
    channel: str
    officer: Signature
    before: Mapping[DocumentKey, Check]

    def ask(self, connection: sa.Connection, asked: AskedDocument) -> str:
        """Record one question; its id. Raises UserError where it cannot be asked."""
        document, desk, who = asked.document, self.desk, self.officer.officer
        reason = why_not_asked(document, desk.issuers, desk.documents)
        if reason is not None:
            raise UserError(reason)
        check = self.before.get(key_of(document))
        next_state(check.state_on(desk.today) if check else "unchecked", "ask")
        due_on = desk.due_on(document.issuer).isoformat()
        content = {"issuer": document.issuer, "channel": self.channel, "due_on": due_on, "key": who.key_id,
                   "number": document.number, "supplier_id": document.supplier_id}  # fmt: skip
        recorded_at = _record(connection, desk, "ask_issuer", document, content, self.officer)
        values = {"channel": self.channel, "asked_at": recorded_at, "asked_by": who.name, "due_on": due_on}
        return _open(connection, asked, "asked", recorded_at, values)


def record_answer(desk: Desk, asked: AskedDocument, given: IssuerAnswer, officer: Signature) -> Check:
    """Record what an issuer answered: a denial or withdrawal is proposed to a second officer, all else counts at once.

    The same answer again changes nothing. Raises UserError with every rule that it breaks.
    """
    document = asked.document
    broken = broken_answer_rules(document, given, desk.issuers, desk.documents, desk.today)
    if broken:
        raise UserError(" ".join(broken))
    with _locked(desk.engine) as connection:
        check = _newest(connection, [key_of(document)]).get(key_of(document))
        if check is not None and check.given == given and check.state in ("proposed", given.answer):
            return check
        state = next_state(check.state_on(desk.today) if check else "unchecked", "answer", given.answer)
        recorded_at = _record(connection, desk, "record_answer", document, _answer_content(given, state), officer)
        is_open = check is not None and check.state == "asked"
        check_id = check.check_id if check and is_open else _open(connection, asked, state, recorded_at, {})
        _update(connection, check_id, state=state, recorded_by=officer.officer.name, recorded_at=recorded_at,
                recorder_key=officer.officer.key_id, **_answer_values(given))  # fmt: skip
        if state == given.answer:
            _hand_in(connection, desk, document, given, officer)
    _file(desk, officer)
    return check_by_id(desk.engine, check_id)


def settle(desk: Desk, check_id: str, is_approved: bool, officer: Signature) -> Check:
    """Approve or decline a proposed answer; whoever recorded it can only decline it. Raises UserError else."""
    with _locked(desk.engine) as connection:
        check = read_check(connection.execute(sa.select(_TABLE).where(_TABLE.c.check_id == check_id)).one())
        given, who = check.given, officer.officer
        state = next_state(check.state, "approve" if is_approved else "decline", given.answer if given else None)
        assert given is not None
        if is_approved and who.is_same_as(check.recorded_by or "", check.recorder_key or ""):
            raise UserError("You recorded this answer. Another officer must approve it.")
        action = "approve_answer" if is_approved else "decline_answer"
        recorded_at = _record(connection, desk, action, check.document, {"check": check_id, "key": who.key_id}, officer)
        _update(connection, check_id, state=state, settled_by=who.name, settler_key=who.key_id, settled_at=recorded_at)
        if is_approved:
            _hand_in(connection, desk, check.document, given, officer)
    _file(desk, officer)
    return check_by_id(desk.engine, check_id)


def close_unanswered(desk: Desk, check_id: str, officer: Signature) -> Check:
    """Record that no answer is to be expected; it is no fact. Raises UserError where no question is open."""
    with _locked(desk.engine) as connection:
        check = read_check(connection.execute(sa.select(_TABLE).where(_TABLE.c.check_id == check_id)).one())
        next_state(check.state, "no_answer")
        content = {"check": check_id, "key": officer.officer.key_id}
        _record(connection, desk, "close_unanswered", check.document, content, officer)
        _update(connection, check_id, state="unanswered")
    return check_by_id(desk.engine, check_id)


def _hand_in(
    connection: sa.Connection, desk: Desk, document: Certificate, given: IssuerAnswer, officer: Signature
) -> None:
    """Hand the answer in as a row of certificates, which facts, features and estimates read from then on."""
    said = {name: value for name, value in asdict(given.said).items() if value is not None and name != "model"}
    row = {**asdict(document), **(said if given.answer == "confirmed" else {}), "status": given.answer,
           "happened_on": given.answered_on, "known_on": desk.today}  # fmt: skip
    details = {"certificate_id": document.certificate_id, "status": given.answer}
    sender = RowSender(officer.officer.name, officer.officer.key_id, officer.at, details)
    (receipt,) = accept_rows_in(connection, desk.workspace, HandIn(CERTIFICATES, [row], sender)).outcomes
    if receipt.kind == "changed":
        raise UserError(
            f"For document {document.certificate_id} this answer of {given.answered_on} is known already with another "
            "content. If the issuer answered again, give the day of the newer answer."
        )
    if receipt.kind == "refused":
        raise UserError(f"The answer breaks the rules of the table certificates: {', '.join(receipt.why)}.")


def _file(desk: Desk, officer: Signature) -> None:
    """Write the rows to their file; where the disk is full, the next hand-in or start of the service does."""
    with suppress(OSError):
        file_rows(desk.engine, desk.workspace, officer.at)


@contextmanager
def _locked(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction in which nobody else changes a check."""
    with write_transaction(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE issuer_checks IN EXCLUSIVE MODE"))
        yield connection


def _newest(connection: sa.Connection, keys: Collection[DocumentKey]) -> dict[DocumentKey, Check]:
    return {key_of(check.document): check for check in map(read_check, _rows(connection, keys))}


def _record(
    connection: sa.Connection, desk: Desk, action: str, document: Certificate, content: Mapping[str, Any],
    officer: Signature,
) -> str:  # fmt: skip
    event = AuditEvent(officer.officer.name, action, document.certificate_id, content, desk.versions)
    return record_event_in(connection, event, officer.at).recorded_at


def _open(
    connection: sa.Connection, asked: AskedDocument, state: State, opened_at: str, values: Mapping[str, Any]
) -> str:
    check_id, document, case = f"q-{secrets.token_hex(6)}", asked.document, asked.case
    connection.execute(sa.insert(_TABLE).values(
        check_id=check_id, supplier_id=document.supplier_id, certificate_id=document.certificate_id,
        issuer=document.issuer, sku_id=case.sku_id if case else document.sku_id, market=case.market if case else None,
        document=to_json(document), state=state, opened_at=opened_at, **values,
    ))  # fmt: skip
    return check_id


def _update(connection: sa.Connection, check_id: str, **values: Any) -> None:
    connection.execute(sa.update(_TABLE).where(_TABLE.c.check_id == check_id).values(**values))


def _answer_values(given: IssuerAnswer) -> dict[str, Any]:
    reply = given.reply
    return {
        "answer": given.answer, "answered_on": given.answered_on.isoformat(), "said": to_json(given.said),
        "reply_digest": reply and reply.digest, "reply_sender": reply and reply.sender, "note": given.note,
    }  # fmt: skip


def _answer_content(given: IssuerAnswer, state: State) -> dict[str, Any]:
    """What the ledger keeps of an answer: no text of the issuer or the officer, who may name people."""
    reply = given.reply
    return {"answer": given.answer, "answered_on": given.answered_on.isoformat(), "state": state,
            "reply_digest": reply and reply.digest,
            "reply_domain": reply.sender.rpartition("@")[2].lower() if reply else None}  # fmt: skip
