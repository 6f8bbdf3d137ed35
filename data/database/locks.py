"""Locks that every process with the same database shares; the system lets go of them when their holder dies."""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from data.database.connection import translate_errors
from data.errors import UserError


@contextmanager
def hold_lock(engine: sa.Engine, name: str, refusal: str | None = None) -> Iterator[None]:
    """Hold the lock `name`; where somebody else does, wait, or raise UserError with the sentence `refusal`.

    On PostgreSQL it is an advisory lock, which binds all machines that use the database; beside SQLite, which is of one
    machine, a locked file.
    """
    held = _hold_advisory_lock if engine.dialect.name == "postgresql" else _hold_file
    with held(engine, name, refusal):
        yield


@contextmanager
def _hold_advisory_lock(engine: sa.Engine, name: str, refusal: str | None) -> Iterator[None]:
    number = int.from_bytes(hashlib.sha256(f"touchstone {name}".encode()).digest()[:8], signed=True)
    # Not in a transaction, which a night would keep open for hours.
    with translate_errors(engine), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if refusal is None:
            connection.execute(sa.select(sa.func.pg_advisory_lock(number)))
        elif not connection.execute(sa.select(sa.func.pg_try_advisory_lock(number))).scalar_one():
            raise UserError(refusal)
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))


@contextmanager
def _hold_file(engine: sa.Engine, name: str, refusal: str | None) -> Iterator[None]:
    path = Path(engine.url.database or "touchstone.db")
    with path.with_name(f".{path.name}.{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if refusal else 0))
        except BlockingIOError as error:
            raise UserError(refusal) from error
        yield
