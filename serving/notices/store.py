"""The notices of shoppers: taken once, one case a product; what identifies people is kept apart and can be deleted."""

import secrets
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.notice_schema import NOTICE_LETTERS, NOTICE_REPORTS, NOTICES
from data.database.schema import DECISION_FACTS, DECISIONS
from data.errors import NotFoundError, UserError
from serving.decisions.records import IN_FORCE, SkuKey
from serving.dossiers.records import Incident
from serving.notices.policy import NoticePolicy

NOTICE = "notice"
"""The action of the ledger's rows of new notices."""

SHOPPER = "shopper"
"""The actor of the ledger's rows about notices: who sent one is not in the ledger."""

_SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SYMBOLS_IN_REFERENCE = 10


class TooManyNoticesError(UserError):
    """So many notices came about a code that no more are taken today."""


@dataclass(frozen=True)
class NoticeSubject:
    """What a notice is about: the code as it was typed, and the SKU it belongs to, None where it belongs to none."""

    code: str
    key: SkuKey | None = None

    @property
    def subject(self) -> str:
        """What the ledger's rows are about."""
        return f"{self.key.sku_id} {self.key.market}" if self.key else "unknown code"


@dataclass(frozen=True)
class NoticeReport:
    """What a shopper wrote: what happened, why it is unsafe or illegal, where it was bought, and who they are.

    `injury_severity` is 0 (nobody hurt) to 4, as in the table `incidents`.
    """

    happened: str
    why: str
    bought: str
    hazard: str | None = None
    injury_severity: int | None = None
    name: str | None = None
    email: str | None = None


@dataclass(frozen=True)
class ShopperNotice:
    """A row of the table `notices`; notices of one `case_id` are one case. Times are ISO 8601 in UTC."""

    reference: str
    case_id: str
    code: str
    sku_id: str | None
    market: str | None
    hazard: str | None
    injury_severity: int | None
    received_at: str
    form_token: str
    forgotten_at: str | None = None

    @property
    def key(self) -> SkuKey | None:
        """The SKU that it is about, where its code is known."""
        return SkuKey(self.sku_id, self.market) if self.sku_id and self.market else None

    @property
    def received_on(self) -> date:
        """The day on which it came."""
        return date.fromisoformat(self.received_at[:10])


@dataclass(frozen=True)
class ReadNotice:
    """A notice with what its shopper wrote, None once that was deleted."""

    notice: ShopperNotice
    report: NoticeReport | None


@dataclass(frozen=True)
class NoticeForm:
    """A notice as it is handed in: what it is about, what it says, and the token of its form."""

    subject: NoticeSubject
    report: NoticeReport
    form_token: str


def take_notice(engine: sa.Engine, form: NoticeForm, policy: NoticePolicy, now: datetime) -> ShopperNotice:
    """Store a notice; the same form once more is the same notice.

    Raises TooManyNoticesError where the code has had as many today as the policy allows.
    """
    with write_transaction(engine) as connection:
        known = connection.execute(sa.select(NOTICES).where(NOTICES.c.form_token == form.form_token)).one_or_none()
        if known is not None:
            return ShopperNotice(**known._mapping)
        _require_room(connection, form.subject, policy, now)
        reference = _new_reference()
        case_id = _open_case(connection, form.subject, policy, now) or f"n-{reference}"
        subject, report = form.subject, form.report
        said = {"reference": reference, "case": case_id, "hazard": report.hazard, "injury": report.injury_severity,
                "known_code": subject.code if subject.key else None}  # fmt: skip
        row = record_event_in(connection, AuditEvent(SHOPPER, NOTICE, subject.subject, said), now)
        sku_id, market = subject.key or (None, None)
        notice = ShopperNotice(
            reference, case_id, subject.code, sku_id, market, report.hazard, report.injury_severity, row.recorded_at,
            form.form_token,
        )  # fmt: skip
        connection.execute(sa.insert(NOTICES).values(**asdict(notice)))
        kept = {name: getattr(report, name) for name in ("happened", "why", "bought", "name", "email")}
        connection.execute(sa.insert(NOTICE_REPORTS).values(reference=reference, **kept))
        return notice


def read_notices(engine: sa.Engine, most: int, key: SkuKey | None = None) -> list[ReadNotice]:
    """The newest notices with what was written, at most so many; of one SKU where it is given."""
    query = sa.select(NOTICES, *(NOTICE_REPORTS.c[name] for name in ("happened", "why", "bought", "name", "email")))
    query = query.outerjoin(NOTICE_REPORTS, NOTICE_REPORTS.c.reference == NOTICES.c.reference)
    if key is not None:
        query = query.where(NOTICES.c.sku_id == key.sku_id, NOTICES.c.market == key.market)
    with read_transaction(engine) as connection:
        rows = connection.execute(query.order_by(NOTICES.c.received_at.desc()).limit(most)).all()
    return [_read(dict(row._mapping)) for row in rows]


def decided_cases(engine: sa.Engine, case_ids: Collection[str]) -> frozenset[str]:
    """Those of the cases that a decision in force was taken on."""
    query = sa.select(DECISION_FACTS.c.row_id).join(DECISIONS, DECISIONS.c.decision_id == DECISION_FACTS.c.decision_id)
    decided = query.where(DECISION_FACTS.c.row_id.in_(list(case_ids)), DECISIONS.c.state == IN_FORCE)
    with read_transaction(engine) as connection:
        return frozenset(connection.execute(decided).scalars())


def notice_incidents(engine: sa.Engine, since: date) -> dict[SkuKey, tuple[Incident, ...]]:
    """The cases of notices since a day, as incidents by SKU: their first day, the worst injury that was told."""
    query = sa.select(NOTICES).where(NOTICES.c.sku_id.is_not(None), NOTICES.c.received_at >= since.isoformat())
    cases: dict[str, list[ShopperNotice]] = {}
    with read_transaction(engine) as connection:
        for row in connection.execute(query.order_by(NOTICES.c.received_at)):
            cases.setdefault(row.case_id, []).append(ShopperNotice(**row._mapping))
    found: dict[SkuKey, list[Incident]] = {}
    for case_id, notices in cases.items():
        first, injuries = notices[0], [each.injury_severity for each in notices if each.injury_severity is not None]
        hazard = next((each.hazard for each in notices if each.hazard), None)
        if first.key is not None:
            found.setdefault(first.key, []).append(
                Incident(case_id, *first.key, first.received_on, first.received_on, hazard, max(injuries, default=None))
            )
    return {key: tuple(incidents) for key, incidents in found.items()}


def forget_notice(engine: sa.Engine, reference: str, actor: str, now: datetime) -> None:
    """Delete what a shopper wrote, their name and address, and the letters to them; a second time changes nothing.

    That there was a notice, about which product and on which day, stays. NotFoundError where there is none.
    """
    with write_transaction(engine) as connection:
        row = connection.execute(sa.select(NOTICES).where(NOTICES.c.reference == reference)).one_or_none()
        if row is None:
            raise NotFoundError(f"There is no notice {reference!r}. Give the reference of its acknowledgement.")
        if row.forgotten_at is None:
            _forget(connection, reference, actor, now)


def forget_old_notices(engine: sa.Engine, policy: NoticePolicy, actor: str, now: datetime) -> int:
    """Do so with every notice that is older than the policy keeps personal data; return how many there were."""
    oldest = _utc(now - timedelta(days=policy.personal_days))
    old = sa.select(NOTICES.c.reference).where(NOTICES.c.forgotten_at.is_(None), NOTICES.c.received_at < oldest)
    with write_transaction(engine) as connection:
        references = list(connection.execute(old).scalars())
        for reference in references:
            _forget(connection, reference, actor, now)
    return len(references)


def _forget(connection: sa.Connection, reference: str, actor: str, now: datetime) -> None:
    event = AuditEvent(actor, "forget_notice", reference, {"reference": reference})
    at = record_event_in(connection, event, now).recorded_at
    for table in (NOTICE_LETTERS, NOTICE_REPORTS):
        connection.execute(sa.delete(table).where(table.c.reference == reference))
    connection.execute(sa.update(NOTICES).where(NOTICES.c.reference == reference).values(forgotten_at=at))


def _open_case(connection: sa.Connection, subject: NoticeSubject, policy: NoticePolicy, now: datetime) -> str | None:
    """The case that a notice belongs to: the newest of its product, or code, on which nobody decided yet."""
    same = NOTICES.c.code == subject.code if subject.key is None else sa.and_(
        NOTICES.c.sku_id == subject.key.sku_id, NOTICES.c.market == subject.key.market
    )  # fmt: skip
    since = _utc(now - timedelta(days=policy.case_days))
    first = sa.func.min(NOTICES.c.received_at)
    query = sa.select(NOTICES.c.case_id).where(same).group_by(NOTICES.c.case_id).having(first >= since)
    case_id: str | None = connection.execute(query.order_by(first.desc()).limit(1)).scalar()
    return None if case_id is None or _is_decided(connection, case_id) else case_id


def _is_decided(connection: sa.Connection, case_id: str) -> bool:
    """Whether a decision in force was taken with the case before its officer."""
    query = sa.select(DECISION_FACTS.c.decision_id).join(
        DECISIONS, DECISIONS.c.decision_id == DECISION_FACTS.c.decision_id
    )  # fmt: skip
    decided = query.where(DECISION_FACTS.c.row_id == case_id, DECISIONS.c.state == IN_FORCE)
    return connection.execute(decided.limit(1)).first() is not None


def _require_room(connection: sa.Connection, subject: NoticeSubject, policy: NoticePolicy, now: datetime) -> None:
    """Raise TooManyNoticesError; codes that we do not know count together."""
    since = _utc(now - timedelta(days=1))
    same = NOTICES.c.sku_id.is_(None) if subject.key is None else NOTICES.c.code == subject.code
    query = sa.select(sa.func.count()).select_from(NOTICES).where(same, NOTICES.c.received_at >= since)
    if (connection.execute(query).scalar() or 0) >= policy.per_code_per_day:
        raise TooManyNoticesError(
            f"We have received {policy.per_code_per_day} notices about this product within a day, and look at them."
        )


def _read(row: dict[str, object]) -> ReadNotice:
    report = {name: row.pop(name) for name in ("happened", "why", "bought", "name", "email")}
    notice = ShopperNotice(**row)  # type: ignore[arg-type]
    if report["happened"] is None:
        return ReadNotice(notice, None)
    return ReadNotice(
        notice, NoticeReport(**report, hazard=notice.hazard, injury_severity=notice.injury_severity)  # type: ignore[arg-type]
    )  # fmt: skip


def _new_reference() -> str:
    symbols = "".join(secrets.choice(_SYMBOLS) for _ in range(_SYMBOLS_IN_REFERENCE))
    return f"N-{symbols[:5]}-{symbols[5:]}"


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
