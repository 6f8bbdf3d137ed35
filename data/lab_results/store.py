"""Store of accepted laboratory results: the database with a row of the ledger first, then files that training reads."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from data.database.audit_log import AuditEvent, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import RESULTS
from data.lab_results.versions import (
    Kind,
    KnownVersion,
    Result,
    VersionKey,
    VersionOutcome,
    complete_version,
    judge_version,
    key_of,
)
from data.lake.lab_results import SCHEMA, ingested_files, ingested_tests, result_hand_ins
from data.workspace import Workspace

AT_ONCE = 10_000
"""SQLite takes at most 32,766 values in a question."""

KnownVersions = dict[str, dict[int, KnownVersion]]


@dataclass(frozen=True)
class StoredResults:
    """What became of the results given, by version; `hand_in` names the file of the new ones, None without any."""

    hand_in: str | None
    outcomes: Mapping[VersionKey, VersionOutcome]

    @property
    def new(self) -> tuple[str, ...]:
        """The test ids of the accepted ones."""
        return self.test_ids("new")

    @property
    def known(self) -> tuple[str, ...]:
        """The test ids of those that had been accepted before."""
        return self.test_ids("known")

    @property
    def changed(self) -> tuple[str, ...]:
        """The test ids of those that had been accepted with another content, which stays."""
        return self.test_ids("changed")

    @property
    def refused(self) -> Mapping[VersionKey, str]:
        """Why the versions that do not follow what is known are refused."""
        return {key: each.why for key, each in self.outcomes.items() if each.why is not None}

    @property
    def amendments(self) -> Mapping[VersionKey, int]:
        """The version that each accepted one amends; those of new tests amend none."""
        accepted = ((key, each.amends) for key, each in self.outcomes.items() if each.kind == "new")
        return {key: amends for key, amends in accepted if amends is not None}

    def test_ids(self, kind: Kind) -> tuple[str, ...]:
        """The test ids of one kind of outcome, each once, in order."""
        return tuple(dict.fromkeys(key.test_id for key, each in self.outcomes.items() if each.kind == kind))


@dataclass(frozen=True)
class Sender:
    """Sender of results: name, `key_id` (of the API key, or "command line") and moment.

    `details` enter the ledger's row as well. A laboratory, `lab_id`, amends its own reports only.
    """

    name: str
    key_id: str
    now: datetime
    details: Mapping[str, Any] = field(default_factory=dict)
    lab_id: str | None = None


@dataclass(frozen=True)
class _Judged:
    """The results given, completed from what is known of their tests, and the outcome of each."""

    results: Mapping[VersionKey, Result]
    outcomes: Mapping[VersionKey, VersionOutcome]

    @property
    def new(self) -> dict[VersionKey, Result]:
        return {key: self.results[key] for key, outcome in self.outcomes.items() if outcome.kind == "new"}


def store_results(engine: sa.Engine, workspace: Workspace, results: Sequence[Result], sender: Sender) -> StoredResults:
    """Accept results once and for all: when this returns they are in the database, whatever happens next.

    A version of a test is taken once, and each version amends the one before. Raises UserError where the database
    cannot be written; then none is taken.
    """
    ingested = _ingested_versions(workspace, results)
    with write_transaction(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE results IN EXCLUSIVE MODE"))
        judged = _judge(results, _with_accepted(connection, ingested, results), sender)
        new = judged.new
        if not new:
            return StoredResults(None, judged.outcomes)
        contents = {key: canonical_json(result) for key, result in new.items()}
        hand_in = hashlib.sha256("\n".join(contents.values()).encode()).hexdigest()[:12]
        received_at = _record_events(connection, judged, f"r-{hand_in}", sender)
        connection.execute(sa.insert(RESULTS), [
            {"test_id": key.test_id, "version": key.version, "hand_in": hand_in, "content": contents[key],
             "received_at": received_at, "received_from": sender.key_id, "filed_at": None, "sku_id": result["sku_id"],
             "market": result["market"], "status": result["status"], "round_id": result.get("round_id")}
            for key, result in new.items()
        ])  # fmt: skip
    return StoredResults(hand_in, judged.outcomes)


def compare_results(
    engine: sa.Engine, workspace: Workspace, results: Sequence[Result], sender: Sender
) -> StoredResults:
    """What `store_results` would find new, known, changed and refused; nothing is stored."""
    ingested = _ingested_versions(workspace, results)
    with read_transaction(engine) as connection:
        known = _with_accepted(connection, ingested, results)
    return StoredResults(None, _judge(results, known, sender).outcomes)


def _judge(results: Sequence[Result], known: KnownVersions, sender: Sender) -> _Judged:
    """The outcome of each version in order, so that a hand-in may hold several versions of a test."""
    completed: dict[VersionKey, Result] = {}
    outcomes: dict[VersionKey, VersionOutcome] = {}
    for key, given in sorted({key_of(result): result for result in results}.items()):
        versions = known.setdefault(key.test_id, {})
        result = completed[key] = complete_version(given, versions)
        content = canonical_json(result)
        outcomes[key] = _judge_sender(result, versions, sender) or judge_version(result, content, versions)
        if outcomes[key].kind == "new":
            versions[key.version] = KnownVersion(result, content)
    return _Judged(completed, outcomes)


def _judge_sender(result: Result, known: Mapping[int, KnownVersion], sender: Sender) -> VersionOutcome | None:
    """The refusal where a laboratory sends a version of another laboratory's test."""
    labs = {each.values.get("lab_id") for each in known.values()} - {None, sender.lab_id}
    if sender.lab_id is None or not labs:
        return None
    return VersionOutcome("refused", why=f"test {result['test_id']} is of another laboratory: give your own test_id")


def _record_events(connection: sa.Connection, judged: _Judged, hand_in: str, sender: Sender) -> str:
    """Record the hand-in and, by its test, each amendment; the moment of the hand-in as stored."""
    new = judged.new
    names = [key.test_id if key.version == 1 else f"{key.test_id} version {key.version}" for key in new]
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    content = {"results": len(new), "test_ids": digest, "key": sender.key_id, **sender.details}
    row = record_event_in(connection, AuditEvent(sender.name, "results", hand_in, content), sender.now)
    for key, result in new.items():
        amends = judged.outcomes[key].amends
        if amends is not None:
            said = {name: result.get(name) for name in ("status", "result", "report_number", "report_digest")}
            amendment = {"version": key.version, "amends": amends, "hand_in": hand_in, "key": sender.key_id, **said}
            record_event_in(connection, AuditEvent(sender.name, "amend_result", key.test_id, amendment), sender.now)
    return row.recorded_at


def file_results(engine: sa.Engine, workspace: Workspace, now: datetime) -> int:
    """Write the accepted results that no file holds yet to files of the workspace; return how many there were.

    A file holds one hand-in and is named by its content, so doing this twice, or on two machines, changes nothing.
    Many files become one. Raises OSError where the disk is full; the results stay accepted, and the next call writes
    them.
    """
    waiting = sa.select(RESULTS.c.hand_in).where(RESULTS.c.filed_at.is_(None)).distinct()
    with read_transaction(engine) as connection:
        hand_ins = [row.hand_in for row in connection.execute(waiting)]
    filed = 0
    for hand_in in hand_ins:
        of_it = RESULTS.c.hand_in == hand_in
        with read_transaction(engine) as connection:
            query = sa.select(RESULTS.c.content).where(of_it).order_by(RESULTS.c.test_id, RESULTS.c.version)
            rows = [read_result(content) for content in connection.execute(query).scalars()]
        result_hand_ins(workspace).write(hand_in, rows)
        with write_transaction(engine) as connection:
            connection.execute(sa.update(RESULTS).where(of_it).values(filed_at=now.isoformat()))
        filed += len(rows)
    if filed:
        result_hand_ins(workspace).compact()
    return filed


def canonical_json(result: Result) -> str:
    """A result as text, alike for alike results."""
    record = {name: _plain(result.get(name)) for name in SCHEMA.names}
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def read_result(content: str) -> dict[str, Any]:
    """Parse the text of `canonical_json`; one of before there were versions is version 1."""
    row: dict[str, Any] = dict.fromkeys(SCHEMA.names) | json.loads(content)
    days = {name: date.fromisoformat(row[name]) for name in ("happened_on", "known_on")}
    return complete_version({**row, **days}, {})


def newest_content(connection: sa.Connection, test_id: str) -> str | None:
    """The content of the newest version of a test that was handed in; None where none was."""
    newest = sa.select(RESULTS.c.content).where(RESULTS.c.test_id == test_id).order_by(RESULTS.c.version.desc())
    content: str | None = connection.execute(newest.limit(1)).scalar()
    return content


def is_newest() -> sa.ColumnElement[bool]:
    """The condition on the table `results` that a row is the newest version of its test."""
    higher = RESULTS.alias("higher")
    return ~sa.exists().where(higher.c.test_id == RESULTS.c.test_id, higher.c.version > RESULTS.c.version)


def round_results(connection: sa.Connection, round_id: str) -> pa.Table:
    """Every version handed in of the results of a round, in the columns of `data.lake.lab_results.RESULTS`."""
    query = sa.select(RESULTS.c.content).where(RESULTS.c.round_id == round_id)
    rows = [read_result(content) for content in connection.execute(query).scalars()]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _with_accepted(connection: sa.Connection, known: KnownVersions, results: Sequence[Result]) -> KnownVersions:
    """The versions that are `known`, and the accepted ones of the tests of `results`."""
    test_ids = sorted({str(result["test_id"]) for result in results})
    for start in range(0, len(test_ids), AT_ONCE):
        among = RESULTS.c.test_id.in_(test_ids[start : start + AT_ONCE])
        for content in connection.execute(sa.select(RESULTS.c.content).where(among)).scalars():
            values = read_result(content)
            known.setdefault(values["test_id"], {})[values["version"]] = KnownVersion(values, canonical_json(values))
    return known


def _ingested_versions(workspace: Workspace, results: Sequence[Result]) -> KnownVersions:
    """The versions of the tests of `results` that the current lake holds."""
    test_ids = pa.array(sorted({str(result["test_id"]) for result in results}), pa.string())
    known: KnownVersions = {}
    for row in ingested_tests(ingested_files(workspace), pc.field("test_id").isin(test_ids)).to_pylist():
        known.setdefault(row["test_id"], {})[row["version"] or 1] = KnownVersion(row)
    return known
