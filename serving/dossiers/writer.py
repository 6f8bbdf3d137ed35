"""Writer of the dossiers of a whole catalogue: sorted by DuckDB, streamed, in bounded memory."""

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends import BaseBackend

from data.alerts.matching import matching_version
from data.contract import ALERTS
from data.lake.tables import Tables
from data.progress import Progress
from data.workspace import replace_atomically
from features.groups.reviews import SIGNALS
from features.review_text.extractor import extractor_version
from features.snapshot.entities import enumerate_entities
from features.snapshot.storage import write_table
from serving.dossiers.months import MONTHS_SCHEMA, has_months, month_batches
from serving.dossiers.reader import ENTITY_ROW, MANIFEST, MONTHS, SUPPLIER_ROW, DossiersContent
from serving.dossiers.tables import CatalogueEntities, dossier_tables

ROWS_PER_BATCH = 65_536


def dossiers_name(tables: Tables, as_of: date) -> str:
    """`d-` and 12 hex digits of a digest of the inputs: format, day, lake, extractor of reviews, matching of alerts."""
    inputs = (
        str(MANIFEST.format),
        as_of.isoformat(),
        tables.fingerprint,
        extractor_version() if tables.has(SIGNALS) else "",
        matching_version() if tables.has(ALERTS.name) else "",
    )
    return "d-" + hashlib.sha256("\n".join(inputs).encode("utf-8")).hexdigest()[:12]


def write_dossiers(tables: Tables, as_of: date, folder: Path, progress: Progress) -> None:
    """Write the dossiers of every SKU listed by `as_of` as `folder`, all or nothing.

    A SKU's position is that of its row in `features.snapshot.writer.write_snapshot` of the same tables and day.
    """
    files = dossier_tables(tables)
    names = (*files, *([MONTHS] if has_months(tables) else []))
    with (
        replace_atomically(folder) as attempt,
        progress.step("Dossiers", len(names), "files") as advance,
        enumerate_entities(tables, as_of, ("sku", "supplier")) as (_, entity_rows),
    ):
        attempt.mkdir()
        entities = CatalogueEntities(as_of, tables, entity_rows["sku"], entity_rows["supplier"])
        for name, file in files.items():
            rows = file.ordered_rows(entities)
            write_table(attempt / f"{name}.arrow", _stream(tables.backend, rows), _schema(rows))
            advance(1)
        if MONTHS in names:
            write_table(attempt / f"{MONTHS}.arrow", month_batches(entities), MONTHS_SCHEMA)
            advance(1)
        skus, hazards_read = entity_rows["sku"].stop, tables.has(SIGNALS)
        MANIFEST.write(attempt, DossiersContent(as_of, tables.fingerprint, skus, hazards_read, names))


def _schema(rows: ir.Table) -> pa.Schema:
    """The Arrow types of the rows, entity rows in 32 bits."""
    narrow = {ENTITY_ROW: pa.int32(), SUPPLIER_ROW: pa.int32()}
    schema = rows.schema().to_pyarrow()
    return pa.schema([(each.name, narrow.get(each.name, each.type)) for each in schema])


def _stream(backend: BaseBackend, rows: ir.Table) -> Iterator[pa.RecordBatch]:
    yield from backend.to_pyarrow_batches(rows, chunk_size=ROWS_PER_BATCH)
