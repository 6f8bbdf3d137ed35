"""Cancelled rounds: recorded in the ledger and beside the plan, so that the tests not done are owed no more."""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from data.database.audit_log import AuditEvent, audit_rows, record_event_in
from data.database.connection import write_transaction
from data.database.locks import hold_lock
from data.errors import UserError
from data.workspace import Workspace, replace_atomically
from sampling.plan_files import round_ids

CANCELLATION_FILE = "cancelled.json"
ACTION = "cancel_round"
LONGEST_REASON = 500


@dataclass(frozen=True)
class Cancellation:
    """The cancellation of a round: moment (ISO 8601, UTC), who and why, and how many of its tests were not answered.

    `other_rounds` are those that were there by then: they were drawn while its tests counted as in test.
    """

    round_id: str
    cancelled_at: str
    cancelled_by: str
    reason: str
    tests_left: int
    other_rounds: tuple[str, ...]

    @property
    def day(self) -> date:
        """The day of the cancellation, UTC."""
        return date.fromisoformat(self.cancelled_at[:10])


@dataclass(frozen=True)
class Canceller:
    """Who cancels, with which key, and when."""

    name: str
    key_id: str
    now: datetime


def cancellation_of(workspace: Workspace, round_id: str) -> Cancellation | None:
    """The cancellation of a round; None where it stands."""
    path = workspace.plans / round_id / CANCELLATION_FILE
    if not path.is_file():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    return Cancellation(**{**record, "other_rounds": tuple(record["other_rounds"])})


def cancellations(workspace: Workspace, rounds: Collection[str] | None = None) -> dict[str, Cancellation]:
    """The cancellations of all rounds, or of some, by round."""
    names = sorted(path.parent.name for path in workspace.plans.glob(f"[!.]*/{CANCELLATION_FILE}"))
    found = (cancellation_of(workspace, name) for name in names if rounds is None or name in rounds)
    return {each.round_id: each for each in found if each is not None}


def without_cancelled(planned: pa.Table, workspace: Workspace, redrawn: str) -> pa.Table:
    """The planned tests whose round stands; a round that is `redrawn` sees the others as when it was drawn."""
    ended = [each.round_id for each in cancellations(workspace).values() if redrawn not in each.other_rounds]
    return planned.filter(pc.invert(pc.is_in(planned["round_id"], pa.array(ended, pa.string()))))


def cancel_round(
    engine: sa.Engine, workspace: Workspace, round_id: str, reason: str, tests_left: int, by: Canceller
) -> Cancellation:
    """Cancel a round and record that; a second time changes nothing and returns the first cancellation.

    Raises UserError where the reason is empty or too long, or the database cannot be written; then the round stands.
    """
    reason = " ".join(reason.split())
    if not reason or len(reason) > LONGEST_REASON:
        raise UserError(f"A cancellation needs a reason of 1 to {LONGEST_REASON} characters, got {len(reason)}.")
    path = workspace.plans / round_id / CANCELLATION_FILE
    written = False
    try:
        # While no round is drawn: a drawing that began before sees the tests of this round as in test.
        with hold_lock(engine, "drawing"), write_transaction(engine) as connection:
            known = cancellation_of(workspace, round_id)
            others = tuple(name for name in round_ids(workspace) if name != round_id)
            moment = by.now.astimezone(UTC).isoformat(timespec="seconds")
            cancellation = known or Cancellation(round_id, moment, by.name, reason, tests_left, others)
            if not any(row.action == ACTION for row in audit_rows(engine, round_id)):
                content = {"reason": cancellation.reason, "tests_left": cancellation.tests_left, "key": by.key_id}
                record_event_in(connection, AuditEvent(by.name, ACTION, round_id, content), by.now)
            if known is None:
                # While the record waits to be committed, so that a full disk leaves neither.
                with replace_atomically(path) as attempt:
                    attempt.write_text(json.dumps(asdict(cancellation), indent=2) + "\n", encoding="utf-8")
                written = True
    except BaseException:
        if written:
            path.unlink(missing_ok=True)
        raise
    return cancellation
