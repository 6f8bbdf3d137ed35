"""How the dossiers of a whole catalogue reach the disk: sorted by DuckDB, streamed, memory bounded."""

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends import BaseBackend

from data.lake.tables import Tables
from data.progress import Progress
from data.workspace import replace_atomically
from features.groups.reviews import SIGNALS
from features.review_text.extractor import extractor_version
from features.snapshot.entities import enumerate_entities
from features.snapshot.storage import write_table
from serving.dossiers.reader import MANIFEST, OWNER, SUPPLIER_PLACE, DossiersContent
from serving.dossiers.tables import Owners, dossier_tables

ROWS_PER_BATCH = 65_536


def dossiers_name(tables: Tables, as_of: date) -> str:
    """`d-` and 12 hex digits that name what dossiers are made of: format, day, lake, and what read its reviews."""
    made_of = (
        str(MANIFEST.format),
        as_of.isoformat(),
        tables.fingerprint,
        extractor_version() if tables.has(SIGNALS) else "",
    )
    return "d-" + hashlib.sha256("\n".join(made_of).encode("utf-8")).hexdigest()[:12]


def write_dossiers(tables: Tables, as_of: date, folder: Path, progress: Progress) -> None:
    """Write the dossiers of every SKU listed by `as_of` as `folder`, all or nothing.

    A SKU's position is that of its row in `features.snapshot.writer.write_snapshot` of the same tables and day.
    """
    sheets = dossier_tables(tables)
    with (
        replace_atomically(folder) as attempt,
        progress.step("Dossiers", len(sheets), "files") as advance,
        enumerate_entities(tables, as_of, ("sku", "supplier")) as (_, entities),
    ):
        attempt.mkdir()
        owners = Owners(as_of, tables, entities["sku"], entities["supplier"])
        for name, sheet in sheets.items():
            rows = sheet.ordered(owners)
            write_table(attempt / f"{name}.arrow", _streamed(tables.backend, rows), _schema(rows))
            advance(1)
        skus, hazards_read = entities["sku"].stop, tables.has(SIGNALS)
        MANIFEST.write(attempt, DossiersContent(as_of, tables.fingerprint, skus, hazards_read, tuple(sheets)))


def _schema(rows: ir.Table) -> pa.Schema:
    """The Arrow types of the rows, places in 32 bits."""
    narrow = {OWNER: pa.int32(), SUPPLIER_PLACE: pa.int32()}
    schema = rows.schema().to_pyarrow()
    return pa.schema([(each.name, narrow.get(each.name, each.type)) for each in schema])


def _streamed(backend: BaseBackend, rows: ir.Table) -> Iterator[pa.RecordBatch]:
    yield from backend.to_pyarrow_batches(rows, chunk_size=ROWS_PER_BATCH)
