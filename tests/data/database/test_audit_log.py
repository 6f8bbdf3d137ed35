"""The ledger: nothing is changed, removed, inserted or cut off without being seen."""

import json
import multiprocessing
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.database.audit_log import (
    GENESIS,
    AuditEvent,
    Versions,
    audit_rows,
    record_event,
    record_event_in,
    verify_chain,
)
from data.database.connection import open_database, write_transaction
from data.database.schema import LEDGER
from data.errors import UserError

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
VALUE = st.none() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT


def deed(subject: str = "K1") -> AuditEvent:
    """A decision."""
    return AuditEvent("anna", "order_test", subject, {"reason": "complaints", "p_fail": 0.31}, Versions(model="m-1"))


def tampered(engine: sa.Engine, statement: sa.Executable) -> None:
    """Change the ledger as somebody with the whole database in hand would: without its triggers."""
    with write_transaction(engine) as connection:
        for trigger in ("ledger_UPDATE_refused", "ledger_DELETE_refused") if engine.name == "sqlite" else ():
            connection.execute(sa.text(f"DROP TRIGGER {trigger}"))
        if engine.name == "postgresql":
            connection.execute(sa.text("DROP TRIGGER ledger_refused ON ledger"))
        connection.execute(statement)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.tuples(TEXT, TEXT, TEXT), content=st.dictionaries(TEXT, VALUE, max_size=4))
def test_whatever_is_recorded_verifies(
    state: sa.Engine, names: tuple[str, str, str], content: dict[str, object]
) -> None:
    """Any text and any content come back as they went in, chained."""
    row = record_event(state, AuditEvent(*names, content), NOON)
    assert verify_chain(state, (row.number, row.hash)) == row
    assert json.loads(row.content) == content


def test_the_first_row_follows_the_genesis(state: sa.Engine) -> None:
    """An empty ledger verifies; rows are numbered from one."""
    assert verify_chain(state) is None
    first, second = record_event(state, deed(), NOON), record_event(state, deed(), NOON)
    assert (first.number, first.previous_hash) == (1, GENESIS)
    assert (second.number, second.previous_hash) == (2, first.hash)
    assert verify_chain(state) == second


@pytest.mark.parametrize("change", [
    sa.update(LEDGER).where(LEDGER.c.number == 2).values(content='{"reason":"none"}'),
    sa.update(LEDGER).where(LEDGER.c.number == 2).values(model_version=None),
    sa.delete(LEDGER).where(LEDGER.c.number == 2),
    sa.update(LEDGER).where(LEDGER.c.number == 3).values(number=9),
])  # fmt: skip
def test_tampering_is_seen(state: sa.Engine, change: sa.Executable) -> None:
    """A changed, removed or renumbered row is named."""
    for _ in range(3):
        record_event(state, deed(), NOON)
    tampered(state, change)
    with pytest.raises(UserError, match=r"broken: row [239] "):
        verify_chain(state)


def test_a_cut_off_end_is_seen_with_a_noted_head(state: sa.Engine) -> None:
    """The chain alone cannot tell; a head noted elsewhere can."""
    for _ in range(3):
        newest = record_event(state, deed(), NOON)
    head = (newest.number, newest.hash)
    assert verify_chain(state, head) == newest
    tampered(state, sa.delete(LEDGER).where(LEDGER.c.number == 3))
    verify_chain(state)
    with pytest.raises(UserError, match="row 3 with hash"):
        verify_chain(state, head)


@pytest.mark.parametrize("change", [sa.update(LEDGER).values(actor="nobody"), sa.delete(LEDGER)])
def test_the_database_refuses_changes(state: sa.Engine, change: sa.Executable) -> None:
    """A mistaken statement does not get as far as the chain."""
    record_event(state, deed(), NOON)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), write_transaction(state) as connection:
        connection.execute(change)
    assert verify_chain(state) is not None


def test_a_deed_falls_with_its_transaction(state: sa.Engine) -> None:
    """What is undone was not recorded."""
    with pytest.raises(UserError, match="changed my mind"), write_transaction(state) as connection:  # noqa: PT012 - as it happens
        record_event_in(connection, deed(), NOON)
        raise UserError("changed my mind")
    assert verify_chain(state) is None


def test_rows_of_one_subject(state: sa.Engine) -> None:
    """A reader of one SKU sees its rows alone."""
    record_event(state, deed("K1"), NOON)
    record_event(state, deed("K2"), NOON)
    assert [row.subject for row in audit_rows(state, "K2")] == ["K2"]


def _record_many(address: str) -> None:
    engine = open_database(address)
    for _ in range(20):
        record_event(engine, deed(), NOON)


def test_processes_at_once_make_one_chain(state: sa.Engine, address: str) -> None:
    """Workers and commands may record at the same time."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_record_many, args=(address,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    newest = verify_chain(state)
    assert newest is not None
    assert newest.number == 60


def test_a_clock_set_back_breaks_no_chain(state: sa.Engine) -> None:
    """Rows keep the order in which they were recorded, whatever the clock said."""
    for days in (1, -400, 0):
        last = record_event(state, deed(), NOON + timedelta(days))
    assert verify_chain(state) == last
    assert [row.number for row in audit_rows(state)] == [1, 2, 3]
