"""Acceptance of rows of contract tables that the service takes in: the database with the ledger first, then files.

Certificates whose issuer answered, documents and corrective actions that sellers hand in: from the next scoring on they
are rows of the lake (`data.lake.handed_in_rows`) like those that the marketplace delivers.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

import sqlalchemy as sa

from data import rule_texts
from data.contract import TABLES
from data.contract_schema import Table
from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import HANDED_IN_ROWS
from data.lab_results.record_validation import validate_record
from data.lake.handed_in_rows import (
    REVISION,
    Row,
    canonical_json,
    complete_row,
    ingested_rows,
    row_files,
    unknown_references,
)
from data.workspace import Workspace

Kind = Literal["new", "known", "changed", "refused"]
AT_ONCE = 10_000


@dataclass(frozen=True)
class RowSender:
    """Who hands rows in: name, `key_id` (of the API key, or what else let them in) and moment.

    `details` enter the ledger's row as well.
    """

    name: str
    key_id: str
    now: datetime
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HandIn:
    """Rows of one table as JSON or Python gives their values, and who hands them in.

    `amends`: a row whose key is known with another content becomes its next revision; else it changes nothing.
    """

    table: Table
    rows: Sequence[Row]
    sender: RowSender
    amends: bool = False


@dataclass(frozen=True)
class RowReceipt:
    """What becomes of a row: `new` is accepted as `revision`, `known` and `changed` change nothing, else `why` not."""

    kind: Kind
    revision: int = 0
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class AcceptedRows:
    """The outcome of each row given, in their order; `hand_in` names the file of the new ones, None without any."""

    hand_in: str | None
    outcomes: tuple[RowReceipt, ...]

    def count(self, kind: Kind) -> int:
        """How many rows had this outcome."""
        return sum(each.kind == kind for each in self.outcomes)

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why rows were refused, one sentence a row."""
        return tuple(", ".join(each.why) for each in self.outcomes if each.kind == "refused")


def accept_rows(engine: sa.Engine, workspace: Workspace, hand_in: HandIn) -> AcceptedRows:
    """Accept rows once and for all: when this returns they are in the database, whatever happens next.

    Each row is judged by itself. Raises UserError where the database cannot be written; then none is accepted.
    """
    with write_transaction(engine) as connection:
        return accept_rows_in(connection, workspace, hand_in)


def accept_rows_in(connection: sa.Connection, workspace: Workspace, hand_in: HandIn) -> AcceptedRows:
    """`accept_rows` inside a `write_transaction`: the rows stand or fall with what else is written there."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE handed_in_rows IN EXCLUSIVE MODE"))
    checked = _validate(workspace, hand_in)
    known = _known_rows(connection, workspace, hand_in.table, [row for row, why in checked if not why])
    outcomes, new = [], list[dict[str, Any]]()
    for row, why in checked:
        outcome = RowReceipt("refused", why=why) if why else _judge(row, hand_in, known)
        outcomes.append(outcome)
        if outcome.kind == "new":
            content, key = canonical_json(hand_in.table, row), row_key(hand_in.table, row)
            known[key] = (outcome.revision, content)
            new.append({"row_key": key, "revision": outcome.revision, "content": content,
                        "supplier_id": row.get("supplier_id"), "sku_id": row.get("sku_id")})  # fmt: skip
    if not new:
        return AcceptedRows(None, tuple(outcomes))
    return AcceptedRows(_store(connection, hand_in, new), tuple(outcomes))


def judge_rows(engine: sa.Engine, workspace: Workspace, hand_in: HandIn) -> tuple[RowReceipt, ...]:
    """What `accept_rows` would make of each row; nothing is stored. Of rows with one key each is judged by itself."""
    checked = _validate(workspace, hand_in)
    with read_transaction(engine) as connection:
        known = _known_rows(connection, workspace, hand_in.table, [row for row, why in checked if not why])
    return tuple(RowReceipt("refused", why=why) if why else _judge(row, hand_in, known) for row, why in checked)


def file_rows(engine: sa.Engine, workspace: Workspace, now: datetime) -> int:
    """Write the accepted rows that no file holds yet to files of the workspace; return how many there were.

    A file holds one hand-in and is named by its content, so doing this twice, or on two machines, changes nothing.
    Raises OSError where the disk is full; the rows stay accepted, and the next call writes them.
    """
    rows = HANDED_IN_ROWS
    waiting = sa.select(rows.c.table_name, rows.c.hand_in).where(rows.c.filed_at.is_(None)).distinct()
    with read_transaction(engine) as connection:
        hand_ins = [(each.table_name, each.hand_in) for each in connection.execute(waiting)]
    by_name, filed = {table.name: table for table in TABLES}, 0
    for name, hand_in in hand_ins:
        of_it = (rows.c.table_name == name) & (rows.c.hand_in == hand_in)
        query = sa.select(rows.c.content, rows.c.revision).where(of_it).order_by(rows.c.row_key, rows.c.revision)
        with read_transaction(engine) as connection:
            found = [
                read_row(by_name[name], each.content) | {REVISION: each.revision} for each in connection.execute(query)
            ]
        row_files(workspace, by_name[name]).write(hand_in, found)
        with write_transaction(engine) as connection:
            connection.execute(sa.update(rows).where(of_it).values(filed_at=now.isoformat()))
        filed += len(found)
    for name in sorted({name for name, _ in hand_ins}):
        row_files(workspace, by_name[name]).compact()
    return filed


def rows_received(engine: sa.Engine, table: Table, condition: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    """The accepted rows of a table in their newest revision, as Python values, in the order in which they came in.

    `condition` is one on the columns of `data.database.schema.HANDED_IN_ROWS`.
    """
    rows, higher = HANDED_IN_ROWS, HANDED_IN_ROWS.alias("higher")
    is_newest = ~sa.exists().where(
        higher.c.table_name == rows.c.table_name,
        higher.c.row_key == rows.c.row_key,
        higher.c.revision > rows.c.revision,
    )
    query = sa.select(rows.c.content).where(rows.c.table_name == table.name, condition, is_newest)
    with read_transaction(engine) as connection:
        contents = connection.execute(query.order_by(rows.c.received_at, rows.c.row_key)).scalars().all()
    return [read_row(table, content) for content in contents]


def row_key(table: Table, row: Row) -> str:
    """The key of a row as text."""
    return json.dumps([_plain(row[name]) for name in table.key], separators=(",", ":"))


def read_row(table: Table, content: str) -> dict[str, Any]:
    """Parse the text of `canonical_json`."""
    row: dict[str, Any] = dict.fromkeys(table.column_names) | json.loads(content)
    days = {column.name for column in table.columns if column.kind == "day"}
    read = {name: date.fromisoformat(value) if name in days and value else value for name, value in row.items()}
    return complete_row(table, read)


def _validate(workspace: Workspace, hand_in: HandIn) -> list[tuple[dict[str, Any], tuple[str, ...]]]:
    """Each row with the contract's types, and the rules that it breaks."""
    table, today = hand_in.table, hand_in.sender.now.date()
    plain = [{name: _plain(value) for name, value in row.items()} for row in hand_in.rows]
    judged = [validate_record(row, today, table) for row in plain]
    unknown = unknown_references(workspace, table, [each.values for each in judged])
    return [
        (complete_row(table, each.values), (*each.broken, *map(rule_texts.unknown, columns)))
        for each, columns in zip(judged, unknown, strict=True)
    ]


def _known_rows(
    connection: sa.Connection, workspace: Workspace, table: Table, rows: Sequence[Row]
) -> dict[str, tuple[int, str]]:
    """By key: revision and content of the rows among these that are known; those of an ingest are revision 0."""
    ids = sorted({str(row[table.key[0]]) for row in rows})
    known = {row_key(table, row): (0, canonical_json(table, row)) for row in ingested_rows(workspace, table, ids)}
    keys, stored = sorted({row_key(table, row) for row in rows}), HANDED_IN_ROWS
    for start in range(0, len(keys), AT_ONCE):
        among = (stored.c.table_name == table.name) & stored.c.row_key.in_(keys[start : start + AT_ONCE])
        query = sa.select(stored.c.row_key, stored.c.revision, stored.c.content).where(among)
        for each in connection.execute(query.order_by(stored.c.revision)):
            known[each.row_key] = (each.revision, each.content)
    return known


def _judge(row: Row, hand_in: HandIn, known: Mapping[str, tuple[int, str]]) -> RowReceipt:
    before = known.get(row_key(hand_in.table, row))
    if before is None:
        return RowReceipt("new", 1)
    revision, content = before
    if content == canonical_json(hand_in.table, row):
        return RowReceipt("known")
    return RowReceipt("new", revision + 1) if hand_in.amends else RowReceipt("changed")


def _store(connection: sa.Connection, hand_in: HandIn, new: Sequence[Mapping[str, Any]]) -> str:
    """Write the new rows and the ledger's row; the name of the hand-in."""
    table, sender = hand_in.table, hand_in.sender
    told = "\n".join(f"{each['revision']} {each['content']}" for each in new)
    name = hashlib.sha256(f"{table.name}\n{told}".encode()).hexdigest()[:12]
    keys = hashlib.sha256("\n".join(each["row_key"] for each in new).encode()).hexdigest()
    content = {"table": table.name, "rows": len(new), "keys": keys, "key": sender.key_id, **sender.details}
    row = record_event_in(connection, AuditEvent(sender.name, "hand_in_rows", f"h-{name}", content), sender.now)
    received = {"table_name": table.name, "hand_in": name, "received_at": row.recorded_at,
                "received_from": sender.key_id, "filed_at": None}  # fmt: skip
    connection.execute(sa.insert(HANDED_IN_ROWS), [{**each, **received} for each in new])
    return name


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
