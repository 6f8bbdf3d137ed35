"""Rescoring by the service: in a process of its own, so that answers stay quick; its state is in the database."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import RESCORINGS
from data.errors import UserError
from data.progress import Advance
from data.settings import Settings
from serving.auth.api_keys import Key, utc_timestamp

SILENCE_LIMIT = timedelta(minutes=15)
"""A running rescoring without a sign of life for so long counts as interrupted."""
WRITE_INTERVAL_SECONDS = 1.0

RescoringState = Literal["running", "done", "failed", "interrupted"]


@dataclass(frozen=True)
class Rescoring:
    """A rescoring: its state, its step with `done` of `total` units, and the sentence it ended with."""

    rescoring_id: str
    asked_by: str
    asked_at: str
    state: RescoringState
    step: str
    done: int
    total: int
    unit: str
    ended_at: str | None
    message: str | None


def start_rescoring(engine: sa.Engine, key: Key, now: datetime) -> str:
    """Record a new rescoring and who started it; return its id. UserError while another one runs."""
    name = f"z-{secrets.token_hex(6)}"
    with write_transaction(engine) as connection:
        # First: it waits for whoever else writes the ledger, so that of two that start one sees the other.
        row = record_event_in(connection, AuditEvent(key.name, "rescore", name, {"key": key.id}), now)
        present = _latest(connection, now)
        if present is not None and present.state == "running":
            raise UserError(f"The catalogue is being rescored since {present.asked_at[:19]}Z. Wait for it to end.")
        connection.execute(sa.insert(RESCORINGS).values(
            rescoring_id=name, asked_by=key.name, asked_at=row.recorded_at, state="running", step="Starting", done=0,
            total=0, unit="steps", heard_at=row.recorded_at,
        ))  # fmt: skip
    return name


def finish_rescoring(engine: sa.Engine, rescoring_id: str, state: RescoringState, message: str, now: datetime) -> None:
    """Store how a running rescoring ended; the end of one that ended before stays."""
    running = sa.and_(RESCORINGS.c.rescoring_id == rescoring_id, RESCORINGS.c.state == "running")
    timestamp = utc_timestamp(now)
    values = {"state": state, "message": message, "ended_at": timestamp, "heard_at": timestamp}
    with write_transaction(engine) as connection:
        connection.execute(sa.update(RESCORINGS).where(running).values(**values))


def latest_rescoring(engine: sa.Engine, now: datetime) -> Rescoring | None:
    """The newest rescoring, None where there was none; one that fell silent is interrupted."""
    with read_transaction(engine) as connection:
        return _latest(connection, now)


def _latest(connection: sa.Connection, now: datetime) -> Rescoring | None:
    newest = sa.select(RESCORINGS).order_by(RESCORINGS.c.asked_at.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    if row is None:
        return None
    silent = row.state == "running" and row.heard_at < utc_timestamp(now - SILENCE_LIMIT)
    values = {name: row._mapping[name] for name in Rescoring.__dataclass_fields__}
    return Rescoring(**(values | {"state": "interrupted"} if silent else values))


class DatabaseProgress:
    """Progress of a rescoring, written to the database about once a second."""

    def __init__(self, engine: sa.Engine, rescoring_id: str) -> None:
        self._engine, self._name = engine, rescoring_id
        self._written_at = 0.0

    @contextmanager
    def step(self, title: str, total: int, unit: str = "steps") -> Iterator[Advance]:
        """Open a step of `total` units."""
        done = 0
        self._write(title, done, total, unit)

        def advance(units: int) -> None:
            nonlocal done
            done += units
            if time.monotonic() - self._written_at >= WRITE_INTERVAL_SECONDS:
                self._write(title, done, total, unit)

        yield advance
        self._write(title, total, total, unit)

    def _write(self, step: str, done: int, total: int, unit: str) -> None:
        self._written_at = time.monotonic()
        values = {
            "step": step, "done": done, "total": total, "unit": unit, "heard_at": utc_timestamp(datetime.now(UTC)),
        }  # fmt: skip
        with write_transaction(self._engine) as connection:
            this = RESCORINGS.c.rescoring_id == self._name
            connection.execute(sa.update(RESCORINGS).where(this).values(**values))


REPOSITORY = Path(__file__).resolve().parents[2]


async def rescore(engine: sa.Engine, settings: Settings, key: Key) -> Rescoring:
    """Score the catalogue anew and return how it ended; the service moves on by itself to what is published.

    Raises UserError where another rescoring runs, or where this installation cannot compute features.
    """
    if find_spec("ibis") is None:
        raise UserError(
            "This image only answers; it cannot compute features. Run `touchstone score` where the lake is."
        )
    name = await asyncio.to_thread(start_rescoring, engine, key, datetime.now(UTC))
    environment = os.environ | {"TOUCHSTONE_HOME": str(settings.workspace.home)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "serving.scoring.rescoring_job", name, cwd=REPOSITORY, env=environment
    )
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        raise
    # The process stores its own end, unless it was killed.
    await asyncio.to_thread(
        finish_rescoring, engine, name, "failed", f"The process ended with {code}. Ask again.", datetime.now(UTC)
    )
    ended = await asyncio.to_thread(latest_rescoring, engine, datetime.now(UTC))
    if ended is None:
        raise UserError(f"The rescoring {name} is not in the database any more. Ask again.")
    return ended
