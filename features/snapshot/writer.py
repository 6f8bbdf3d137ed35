"""Writer of a snapshot: the features of the whole catalogue on one day, in bounded memory."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.errors import UserError
from data.lake.partitions import md5_number_lower
from data.lake.tables import Tables
from data.own_features import own_features_to_json
from data.progress import Advance, Progress
from data.workspace import replace_atomically
from features.definition import KEYS, Entity, EventSource, group_by_source
from features.fitted_tables import FittedTables
from features.registry import features_of
from features.snapshot.entities import SnapshotDate, row_column
from features.snapshot.matrices import CatalogueFeatures, catalogue_features
from features.snapshot.reader import FEATURES, INDEX_FILE, KEY_COLUMNS, MANIFEST, SKU, SnapshotContent
from features.snapshot.storage import BETWEEN, NO_ROW, coded_rows, vector_columns, write_hash_index, write_table
from features.version import feature_version


def cold_start_values(catalogue: "CatalogueFeatures") -> Mapping[str, float | None]:
    """Each feature of an entity without any event: a count is 0, a shrunk rate the usual one; None where unknown."""
    values: dict[str, float | None] = dict.fromkeys(catalogue.feature_set.names)
    for entity, rows in catalogue.entities.items():
        features = catalogue.feature_set.of_entity(entity)
        for source, declared in group_by_source(features, catalogue.snapshot.tables).items():
            if isinstance(source, EventSource):
                (row,) = catalogue.of_source(source, rows.span(0, 0), declared).iter_rows(named=True)
                values |= {feature.name: row[feature.name] for feature in declared}
    return values


COMPUTED_WITH = ("rates", "categories", "title_words", "own_rates")
"""The fitted tables that features are computed with."""
ROWS_PER_BATCH = 65_536
# No power of two: columns that far apart would compete for the same lines of the processor's cache.
PLACES_PER_SPAN = 1_000_000
EVENTS_PER_SPAN = 25_000_000


def catalogue_on(tables: Tables, as_of: date) -> ir.Table:
    """The spine of the whole catalogue: every (sku_id, market) listed by `as_of`."""
    skus = tables["skus"]
    return skus.filter(skus.listed_on <= as_of).select("sku_id", "market").mutate(as_of=ibis.literal(as_of))


def reference_digest(reference: FittedTables) -> str:
    """`r-` and 12 hex digits that name the content of the fitted tables, however they are stored."""
    read: dict[str, object] = {name: reference[name].to_pydict() for name in COMPUTED_WITH}
    read["own"] = own_features_to_json(reference.own)
    return "r-" + hashlib.sha256(json.dumps(read, sort_keys=True).encode("utf-8")).hexdigest()[:12]


def snapshot_name(tables: Tables, as_of: date, reference: FittedTables) -> str:
    """`s-` and 12 hex digits that name the inputs of a snapshot: format, day, lake, features and reference."""
    made_of = (
        str(MANIFEST.format),
        as_of.isoformat(),
        tables.fingerprint,
        feature_version(reference),
        reference_digest(reference),
    )
    return "s-" + hashlib.sha256("\n".join(made_of).encode("utf-8")).hexdigest()[:12]


def write_snapshot(tables: Tables, as_of: date, reference: FittedTables, folder: Path, progress: Progress) -> None:
    """Write the snapshot of `as_of` as `folder`, all or nothing.

    Raises UserError where the catalogue has no SKU by that day.
    """
    rows = int(tables.backend.to_pyarrow(catalogue_on(tables, as_of).count()).as_py())
    if not rows:
        raise UserError(
            f"No SKU is listed by {as_of}, so there is nothing to score. Ingest a catalogue or take a later day."
        )
    declared = features_of(reference)
    names = {entity: tuple(feature.name for feature in declared.of_entity(entity)) for entity in KEYS}
    linked = tuple(entity for entity in KEYS if entity != SKU and names[entity])
    with (
        replace_atomically(folder) as attempt,
        progress.step("Features of the catalogue", rows, "SKUs") as advance,
        catalogue_features(SnapshotDate(as_of, tables, reference)) as catalogue,
    ):
        attempt.mkdir()
        for entity in linked:
            write_table(attempt / f"{entity}.arrow", _batches(catalogue, entity, KEYS[entity]))
        skus = _batches(catalogue, SKU, KEY_COLUMNS, linked)
        write_table(attempt / f"{SKU}.arrow", _counted(skus, advance))
        write_hash_index(attempt / INDEX_FILE, _key_hashes(catalogue))
        content = SnapshotContent(
            as_of, feature_version(reference), tables.fingerprint, reference_digest(reference), rows, declared.names,
            {SKU: names[SKU], **{entity: names[entity] for entity in linked}}, cold_start_values(catalogue),
        )  # fmt: skip
        MANIFEST.write(attempt, content)


def _batches(
    catalogue: CatalogueFeatures, entity: Entity, texts: Sequence[str], linked: Sequence[Entity] = ()
) -> Iterator[pa.RecordBatch]:
    """Texts, FEATURES and LINKS of the entities in the order of their rows; one empty batch where there are none."""
    features = catalogue.feature_set.of_entity(entity)
    links = [row_column(other) for other in linked]
    step = _places_per_span(catalogue, entity)
    for start in range(0, max(catalogue.entities[entity].stop, 1), step):
        span = catalogue.entities[entity].span(start, start + step)
        matrix = catalogue.matrix(span, features)
        keys = catalogue.backend.to_pyarrow(span.rows.order_by(span.column).select(*texts, *links))
        numbers = np.full((len(matrix), len(links)), NO_ROW, dtype=np.int32)
        for column, link in enumerate(links):
            numbers[:, column] = keys[link].fill_null(NO_ROW).to_numpy()
        for first in range(0, max(len(matrix), 1), ROWS_PER_BATCH):
            rows = slice(first, first + ROWS_PER_BATCH)
            named = keys.select(list(texts)).slice(first, ROWS_PER_BATCH)
            yield from entity_rows(named, matrix[rows], numbers[rows])


def _places_per_span(catalogue: CatalogueFeatures, entity: Entity) -> int:
    """So few entities that all of their events are in memory at once: suppliers have more of them than SKUs."""
    events = sum(content.total.rows for content in catalogue.snapshot.tables.contents.values())
    spans = max(-(-events // EVENTS_PER_SPAN), 1)
    return max(min(-(-len(catalogue.entities[entity]) // spans), PLACES_PER_SPAN), 1)


def _key_hashes(catalogue: CatalogueFeatures) -> NDArray[np.uint64]:
    """`key_hash` of every SKU, in the order of the file."""
    skus = catalogue.entities[SKU]
    hashes = skus.rows.select(skus.column, hashed=md5_number_lower(skus.rows.sku_id + BETWEEN + skus.rows.market))
    hashes_by_row: NDArray[np.uint64] = catalogue.backend.to_pyarrow(hashes.order_by(skus.column))["hashed"].to_numpy()
    return hashes_by_row


def _counted(batches: Iterator[pa.RecordBatch], advance: Advance) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch
        advance(batch.num_rows)


def entity_rows(texts: pa.Table, features: NDArray[np.float64], links: NDArray[np.int32]) -> Iterator[pa.RecordBatch]:
    """Rows of an entity's file: text columns, links to rows of other files, and coded features."""
    named = {name: texts[name].combine_chunks().cast(pa.string()) for name in texts.column_names}
    yield from coded_rows(pa.RecordBatch.from_pydict({**named, **vector_columns(links=links)}), FEATURES, features)
