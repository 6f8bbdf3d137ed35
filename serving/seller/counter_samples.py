"""Requests of sellers to have the retained half of a sample tested by another laboratory."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.seller_schema import COUNTER_SAMPLES
from data.errors import NotFoundError, UserError
from serving.decisions.rules import Signature
from serving.seller.links import SellerCase, SellerLink, is_of_case

ASKED, GRANTED, DECLINED = "asked", "granted", "declined"


@dataclass(frozen=True)
class CounterSampleWishes:
    """What a seller asks for: the test, the laboratory that is to test the counter-sample, and what else matters."""

    test_id: str
    laboratory: str
    others: str = ""


@dataclass(frozen=True)
class CounterSample:
    """A row of the table `counter_samples`, one per test; `state` is asked, granted or declined, times are ISO 8601."""

    request_id: str
    supplier_id: str
    sku_id: str | None
    market: str | None
    link_id: str
    test_id: str
    laboratory: str
    wishes: str
    asked_at: str
    state: str = ASKED
    answered_at: str | None = None
    answered_by: str | None = None
    note: str | None = None

    @property
    def case(self) -> SellerCase:
        """The case that it belongs to."""
        return SellerCase(self.supplier_id, self.sku_id, self.market)


def ask_counter_sample(
    engine: sa.Engine, link: SellerLink, wishes: CounterSampleWishes, now: datetime
) -> CounterSample:
    """Ask for the counter-sample of a test; asking again is the same request, with the wishes of the first."""
    with write_transaction(engine) as connection:
        query = sa.select(COUNTER_SAMPLES).where(COUNTER_SAMPLES.c.test_id == wishes.test_id)
        row = connection.execute(query).one_or_none()
        if row is not None:
            return CounterSample(**row._mapping)
        said = {"test": wishes.test_id, "link": link.link_id}
        event = record_event_in(
            connection, AuditEvent(link.case.actor, "ask_counter_sample", link.case.subject, said), now
        )  # fmt: skip
        asked = CounterSample(
            f"cs-{event.hash[:12]}", link.supplier_id, link.sku_id, link.market, link.link_id, wishes.test_id,
            wishes.laboratory, wishes.others, event.recorded_at,
        )  # fmt: skip
        connection.execute(sa.insert(COUNTER_SAMPLES).values(**asdict(asked)))
        return asked


def answer_counter_sample(
    engine: sa.Engine, request_id: str, granted: bool, note: str, signature: Signature
) -> CounterSample:
    """Grant or decline a request with a note that the seller reads; the same answer again changes nothing."""
    if not note.strip():
        raise UserError("Say what happens next, or why it is declined. The seller reads it.")
    state, officer = GRANTED if granted else DECLINED, signature.officer
    with write_transaction(engine) as connection:
        query = sa.select(COUNTER_SAMPLES).where(COUNTER_SAMPLES.c.request_id == request_id).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFoundError(f"There is no request {request_id!r}. Open the list of sellers' answers.")
        before = CounterSample(**row._mapping)
        if before.state == state:
            return before
        if before.state != ASKED:
            raise UserError(f"Request {request_id} was {before.state} by {before.answered_by} before.")
        said = {"request": request_id, "test": before.test_id, "outcome": state, "key": officer.key_id}
        event = AuditEvent(officer.name, "answer_counter_sample", before.case.subject, said)
        at = record_event_in(connection, event, signature.at).recorded_at
        changed = {"state": state, "answered_at": at, "answered_by": officer.name, "note": note.strip()}
        of_request = COUNTER_SAMPLES.c.request_id == request_id
        connection.execute(sa.update(COUNTER_SAMPLES).where(of_request).values(**changed))
        return replace(before, **changed)


def counter_samples_of(engine: sa.Engine, case: SellerCase) -> list[CounterSample]:
    """The requests of a case, the newest first."""
    return _list(engine, is_of_case(COUNTER_SAMPLES, case))


def open_counter_samples(engine: sa.Engine) -> list[CounterSample]:
    """The requests that nobody answered, the newest first."""
    return _list(engine, COUNTER_SAMPLES.c.state == ASKED)


def _list(engine: sa.Engine, condition: sa.ColumnElement[bool]) -> list[CounterSample]:
    query = sa.select(COUNTER_SAMPLES).where(condition).order_by(COUNTER_SAMPLES.c.asked_at.desc())
    with read_transaction(engine) as connection:
        return [CounterSample(**row._mapping) for row in connection.execute(query)]
