"""Store of accepted laboratory results: the database with a row of the ledger first, then files that training reads."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import RESULTS
from data.lake.lab_results import SCHEMA, accepted_results
from data.lake.location import current_table
from data.workspace import Workspace, replace_atomically

Result = Mapping[str, Any]
AT_ONCE = 10_000
"""SQLite takes at most 32,766 values in a question."""


@dataclass(frozen=True)
class StoredResults:
    """Test ids of the results given: `new` ones, `known` ones, and `changed` ones, whose stored content stays.

    `hand_in` names the file of the new ones, None where there are none.
    """

    hand_in: str | None
    new: tuple[str, ...]
    known: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Sender:
    """Sender of results: name, `key_id` (of the API key, or "command line") and moment.

    `details` enter the ledger's row as well.
    """

    name: str
    key_id: str
    now: datetime
    details: Mapping[str, Any] = field(default_factory=dict)


def store_results(engine: sa.Engine, workspace: Workspace, results: Sequence[Result], sender: Sender) -> StoredResults:
    """Accept results once and for all: when this returns they are in the database, whatever happens next.

    A test_id that is known is not taken twice. Raises UserError where the database cannot be written; then none is
    taken.
    """
    by_id = {str(result["test_id"]): result for result in results}
    contents = {name: canonical_json(result) for name, result in by_id.items()}
    before = _known_elsewhere(workspace, set(contents))
    with write_transaction(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE results IN EXCLUSIVE MODE"))
        before |= _known_here(connection, sorted(contents))
        new = sorted(test_id for test_id in contents if test_id not in before)
        changed = sorted(name for name, content in before.items() if content not in (None, contents[name]))
        known = tuple(sorted(before.keys() - set(changed)))
        if not new:
            return StoredResults(None, (), known, tuple(changed))
        hand_in = hashlib.sha256("\n".join(contents[name] for name in new).encode()).hexdigest()[:12]
        digest = hashlib.sha256("\n".join(new).encode()).hexdigest()
        content = {"results": len(new), "test_ids": digest, "key": sender.key_id, **sender.details}
        row = record_event_in(connection, AuditEvent(sender.name, "results", f"r-{hand_in}", content), sender.now)
        connection.execute(sa.insert(RESULTS), [
            {"test_id": name, "hand_in": hand_in, "content": contents[name], "received_at": row.recorded_at,
             "received_from": sender.key_id, "filed_at": None, "sku_id": by_id[name]["sku_id"],
             "market": by_id[name]["market"]}
            for name in new
        ])  # fmt: skip
    return StoredResults(hand_in, tuple(new), known, tuple(changed))


def compare_results(engine: sa.Engine, workspace: Workspace, results: Sequence[Result]) -> StoredResults:
    """What `store_results` would find new, known and changed; nothing is stored."""
    contents = {str(result["test_id"]): canonical_json(result) for result in results}
    before = _known_elsewhere(workspace, set(contents))
    with read_transaction(engine) as connection:
        before |= _known_here(connection, sorted(contents))
    new = tuple(sorted(contents.keys() - before.keys()))
    changed = tuple(sorted(name for name, content in before.items() if content not in (None, contents[name])))
    return StoredResults(None, new, tuple(sorted(before.keys() - set(changed))), changed)


def file_results(engine: sa.Engine, workspace: Workspace, now: datetime) -> int:
    """Write the accepted results that no file holds yet to files of the workspace; return how many there were.

    A file holds one hand-in and is named by its content, so doing this twice, or on two machines, changes nothing.
    Raises OSError where the disk is full; the results stay accepted, and the next call writes them.
    """
    waiting = sa.select(RESULTS.c.hand_in).where(RESULTS.c.filed_at.is_(None)).distinct()
    with read_transaction(engine) as connection:
        hand_ins = [row.hand_in for row in connection.execute(waiting)]
    filed = 0
    for hand_in in hand_ins:
        of_it = RESULTS.c.hand_in == hand_in
        with read_transaction(engine) as connection:
            contents = connection.execute(
                sa.select(RESULTS.c.content).where(of_it).order_by(RESULTS.c.test_id)
            ).scalars()
            rows = [read_result(content) for content in contents]
        with replace_atomically(workspace.results / f"r-{hand_in}.parquet") as attempt:
            pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), attempt)
        with write_transaction(engine) as connection:
            connection.execute(sa.update(RESULTS).where(of_it).values(filed_at=now.isoformat()))
        filed += len(rows)
    return filed


def canonical_json(result: Result) -> str:
    """A result as text, alike for alike results."""
    record = {name: _plain(result.get(name)) for name in SCHEMA.names}
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def read_result(content: str) -> dict[str, Any]:
    """Parse the text of `canonical_json`."""
    row: dict[str, Any] = json.loads(content)
    days = {name: date.fromisoformat(row[name]) for name in ("happened_on", "known_on")}
    return {**row, **days}


def _known_here(connection: sa.Connection, test_ids: Sequence[str]) -> dict[str, str | None]:
    """The tests among these that were accepted, with their content."""
    known: dict[str, str | None] = {}
    for start in range(0, len(test_ids), AT_ONCE):
        among = RESULTS.c.test_id.in_(test_ids[start : start + AT_ONCE])
        rows = connection.execute(sa.select(RESULTS.c.test_id, RESULTS.c.content).where(among))
        known |= {row.test_id: row.content for row in rows}
    return known


def _known_elsewhere(workspace: Workspace, test_ids: set[str]) -> dict[str, str | None]:
    """The tests among these that files hold: handed in with their content, ingested ones with None."""
    handed_in, sought = accepted_results(workspace), pa.array(sorted(test_ids), pa.string())
    is_sought = pc.is_in(handed_in["test_id"], sought)
    known: dict[str, str | None] = {
        row["test_id"]: canonical_json(row) for row in handed_in.filter(is_sought).to_pylist()
    }
    lab_tests = current_table(workspace, "lab_tests")
    if lab_tests is not None:
        among = pq.read_table(lab_tests, columns=["test_id"], filters=pc.field("test_id").isin(sought))
        known |= {name: known.get(name) for name in among["test_id"].to_pylist()}
    return known
