"""How the features of the whole catalogue on one day reach the disk, with memory bounded whatever its size."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from itertools import chain
from pathlib import Path

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from data.progress import Advance, Progress
from data.refusal import Refusal
from data.tables import Tables
from data.workspace import replacing
from features.catalogue import CATALOGUE, FEATURE_NAMES, feature_version
from features.certificates import reuses, statuses
from features.entity_file import NO_ROW, EntityFile, Piece, write_entity_file
from features.feature import KEYS, Entity
from features.key_index import write_key_index
from features.laboratory import listed
from features.pipeline import entity_table
from features.prepared import SkuSpan, kept, of_span, prepared
from features.reference import Reference
from features.review_partials import with_read_reviews
from features.reviews import read_reviews
from features.sales import of_suppliers, owned_sales
from features.snapshot import KEY_COLUMNS, SKU, SnapshotStatement, file_names

ROWS_PER_BATCH = 65_536
SKUS_PER_SPAN = 1_000_000
ROW = "row_number"
SHARED = (listed, read_reviews, statuses, reuses)


def catalogue_on(tables: Tables, as_of: date) -> ir.Table:
    """The spine of the whole catalogue: every (sku_id, market) listed by `as_of`."""
    skus = tables["skus"]
    return skus.filter(skus.listed_on <= as_of).select("sku_id", "market").mutate(as_of=ibis.literal(as_of))


def reference_digest(reference: Reference) -> str:
    """`r-` and 12 hex digits that name what the reference holds for the pipeline, however it is stored."""
    read = {name: reference[name].to_pydict() for name in ("rates", "categories", "title_words")}
    return "r-" + hashlib.sha256(json.dumps(read, sort_keys=True).encode("utf-8")).hexdigest()[:12]


def snapshot_name(tables: Tables, as_of: date, reference: Reference) -> str:
    """`s-` and 12 hex digits that name what a snapshot is made of: day, lake, feature catalogue and reference."""
    made_of = (as_of.isoformat(), tables.fingerprint, feature_version(), reference_digest(reference))
    return "s-" + hashlib.sha256("\n".join(made_of).encode("utf-8")).hexdigest()[:12]


def write_snapshot(
    tables: Tables, as_of: date, reference: Reference, folder: Path, progress: Progress, partials: Path | None = None
) -> None:
    """Write the snapshot of `as_of` as `folder`, all or nothing.

    Reviews read for an earlier snapshot are taken from the folder `partials`, where there is one.
    Raises Refusal where the catalogue has no SKU by that day.
    """
    rows = int(tables.backend.to_pyarrow(catalogue_on(tables, as_of).count()).as_py())
    if not rows:
        raise Refusal(
            f"No SKU is listed by {as_of}, so there is nothing to score. Ingest a catalogue or take a later day."
        )
    names = {entity: tuple(f.name for f in CATALOGUE if f.entity == entity) for entity in KEYS}
    linked = tuple(entity for entity in KEYS if entity != SKU and names[entity])
    with (
        replacing(folder) as attempt,
        progress.step("Features of the catalogue", rows, "SKUs") as advance,
        prepared(with_read_reviews(tables, partials / "reviews") if partials else tables, SHARED) as ready,
        _linked_entities(ready, as_of, reference, linked) as found,
    ):
        attempt.mkdir()
        for entity in linked:
            pieces = _pieces(tables, found[entity].order_by(ROW), KEYS[entity], names[entity])
            write_entity_file(attempt / f"{entity}.arrow", pieces)
        skus = _sku_tables(ready, as_of, reference, found)
        links = tuple(map(_link, linked))
        pieces = chain.from_iterable(_pieces(tables, each, KEY_COLUMNS, names[SKU], links) for each in skus)
        write_entity_file(attempt / f"{SKU}.arrow", _counted(pieces, advance))
        _finish(attempt, SnapshotStatement(
            as_of, feature_version(), tables.fingerprint, reference_digest(reference), rows, FEATURE_NAMES,
            {SKU: names[SKU], **{entity: names[entity] for entity in linked}}, {},
        ))  # fmt: skip


@contextmanager
def _linked_entities(
    ready: Tables, as_of: date, reference: Reference, entities: Sequence[Entity]
) -> Iterator[Mapping[Entity, ir.Table]]:
    """The features of every supplier, factory..., each row with its number in the order of its file."""
    spine = catalogue_on(ready, as_of)
    # One day only: adding up by day first would cost more than it saves.
    of_one_day = replace(ready, given={**ready.given, of_suppliers.__name__: owned_sales(ready)})
    tables = {entity: entity_table(entity, of_one_day, spine, reference) for entity in entities}
    with kept(ready, {entity: _numbered(table, KEYS[entity]) for entity, table in tables.items()}) as found:
        yield found


def _sku_tables(
    ready: Tables, as_of: date, reference: Reference, linked: Mapping[Entity, ir.Table]
) -> Iterator[ir.Table]:
    """The features of all SKUs in the order of the file, span by span, so that no join or sort outgrows the memory."""
    for span in _spans(catalogue_on(ready, as_of), ready):
        own = of_span(ready, span, SHARED)
        skus = entity_table(SKU, own, catalogue_on(own, as_of), reference)
        yield _linked(skus, linked).order_by(list(KEYS[SKU]))


def _spans(catalogue: ir.Table, tables: Tables) -> list[SkuSpan]:
    """Spans of about SKUS_PER_SPAN rows that hold the whole catalogue; all markets of a SKU lie in one span."""
    numbered = catalogue.select("sku_id", place=ibis.row_number().over(order_by="sku_id"))
    firsts = numbered.filter(numbered.place % SKUS_PER_SPAN == 0).select("sku_id").distinct().order_by("sku_id")
    found = tables.backend.to_pyarrow(firsts)["sku_id"].to_pylist()
    return [SkuSpan(first, stop) for first, stop in zip(found, [*found[1:], None], strict=True)]


def _numbered(entity: ir.Table, keys: Sequence[str]) -> ir.Table:
    """The entity's rows with their number in the order of its file."""
    return entity.mutate(ibis.row_number().over(order_by=list(keys)).name(ROW))


def _link(entity: Entity) -> str:
    return f"{ROW}_{entity}"


def _linked(skus: ir.Table, found: Mapping[Entity, ir.Table]) -> ir.Table:
    """The SKU rows with the number of the row they belong to in every other file."""
    for entity, rows in found.items():
        keys = KEYS[entity]
        numbers = rows.select(**{f"{entity}_{key}": rows[key] for key in keys}, **{_link(entity): rows[ROW]})
        skus = skus.left_join(numbers, [skus[key] == numbers[f"{entity}_{key}"] for key in keys])
        skus = skus.drop(*(f"{entity}_{key}" for key in keys))
    return skus


def _pieces(
    tables: Tables, rows: ir.Table, texts: Sequence[str], features: Sequence[str], links: Sequence[str] = ()
) -> Iterator[Piece]:
    """The rows in the order they come, as pieces for an entity file; one empty piece where there are none."""
    chosen = rows.select(*texts, *features, *links)
    batches = tables.backend.to_pyarrow_batches(chosen, chunk_size=ROWS_PER_BATCH)
    empty = True
    for batch in batches:
        empty = False
        yield _piece(pa.Table.from_batches([batch]), texts, features, links)
    if empty:
        yield _piece(chosen.schema().to_pyarrow().empty_table(), texts, features, links)


def _piece(rows: pa.Table, texts: Sequence[str], features: Sequence[str], links: Sequence[str]) -> Piece:
    numbers = np.full((rows.num_rows, len(features)), np.nan)
    for place, name in enumerate(features):
        numbers[:, place] = rows[name].to_numpy()
    linked = np.full((rows.num_rows, len(links)), NO_ROW, dtype=np.int32)
    for place, name in enumerate(links):
        linked[:, place] = rows[name].fill_null(NO_ROW).to_numpy()
    return Piece(rows.select(list(texts)), numbers, linked)


def _counted(pieces: Iterator[Piece], advance: Advance) -> Iterator[Piece]:
    for piece in pieces:
        yield piece
        advance(piece.texts.num_rows)


def _finish(attempt: Path, statement: SnapshotStatement) -> None:
    """Index the keys and, last of all, state what the snapshot holds."""
    skus = EntityFile(attempt / f"{SKU}.arrow")
    if len(skus) != statement.rows:
        raise AssertionError(f"{len(skus)} rows of features for {statement.rows} SKUs: an entity has two rows a day.")
    starts = range(0, statement.rows, ROWS_PER_BATCH)
    keys = (skus.columns(KEYS[SKU], start, min(start + ROWS_PER_BATCH, statement.rows)) for start in starts)
    write_key_index(attempt, ((key["sku_id"].to_pylist(), key["market"].to_pylist()) for key in keys), statement.rows)
    sizes = {name: (attempt / name).stat().st_size for name in file_names(tuple(statement.entities))}
    replace(statement, bytes=sizes).write(attempt)
