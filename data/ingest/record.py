"""The record of ingests beside the lake: files judged last, and the outstanding rows that are in quarantine."""

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ibis
import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from data.contract_schema import Table
from data.errors import UserError
from data.ingest.deliveries import JUDGED_BY, JudgedTable
from data.lake.duckdb_engine import literal_path
from data.lake.tables import IBIS_TYPE
from data.workspace import read_pointer, write_pointer

POINTER, FILE = "INGESTED", "deliveries.json"
PREFIX = ".ingested-"
RAW = "raw_"


def outstanding_schema(table: Table) -> ibis.Schema:
    """The schema of outstanding rows: how each was given, the rules it broke, its values as read and as given.

    `extent` is that of its delivery; a line that is no row has `line_number` and `line`, other rows a `row_number` in
    their delivery unless they come from the lake.
    """
    typed = {column.name: IBIS_TYPE[column.kind] for column in table.columns}
    return ibis.schema({
        "extent": "string", "row_number": "int64", "line_number": "int64", "line": "string",
        "broken_rules": "array<string>", **typed, **{RAW + name: "string" for name in typed},
    })  # fmt: skip


@dataclass(frozen=True)
class IngestRecord:
    """What ingests noted beside the lake `folder` (None: nothing yet): judged files, and where outstanding rows lie."""

    folder: Path | None
    judged: Mapping[str, JudgedTable]

    def outstanding(self, backend: Backend, table: Table) -> ir.Table | None:
        """The rows of a table in quarantine (see `outstanding_schema`), None where there are none."""
        path = self.folder / f"{table.name}.parquet" if self.folder else None
        if path is None or not path.is_file():
            return None
        return conform_outstanding(backend.read_parquet(literal_path(path)), table)


def conform_outstanding(rows: ir.Table, table: Table) -> ir.Table:
    """The rows in the columns of `outstanding_schema`; absent ones are missing."""
    schema = outstanding_schema(table)
    return rows.select(
        **{name: (rows[name] if name in rows.columns else ibis.null(kind)).cast(kind) for name, kind in schema.items()}
    )


def read_record(lake: Path | None) -> IngestRecord:
    """The record beside the lake of this folder; files judged by another version count as not judged."""
    name = read_pointer(lake / POINTER) if lake else None
    if lake is None or name is None:
        return IngestRecord(None, {})
    try:
        record = json.loads((lake / name / FILE).read_text(encoding="utf-8"))
        judged = {table: JudgedTable.from_json(each) for table, each in record["tables"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"The lake in {lake} is damaged: {name} cannot be read. Remove it and ingest again.") from error
    return IngestRecord(lake / name, judged if record["judged_by"] == JUDGED_BY else {})


def write_record(lake: Path, judged: Mapping[str, JudgedTable], outstanding: Mapping[str, Path]) -> None:
    """Write the record beside the lake of this folder, atomically; `outstanding` are files of rows by table."""
    folder = lake / f"{PREFIX}{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    record = {"judged_by": JUDGED_BY, "tables": {name: each.to_json() for name, each in sorted(judged.items())}}
    (folder / FILE).write_text(json.dumps(record, separators=(",", ":")) + "\n", encoding="utf-8")
    for name, path in outstanding.items():
        os.link(path, folder / f"{name}.parquet")
    write_pointer(lake / POINTER, folder.name)
    for old in lake.glob(f"{PREFIX}*"):
        if old != folder:
            shutil.rmtree(old)
