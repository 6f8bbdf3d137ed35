"""What happened to each SKU in each of the last months, added up in arrays, one span of SKUs after the other."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.lake.surrogate_keys import sku_key_columns
from data.lake.tables import Tables
from features.groups.reviews import SIGNALS
from serving.dossiers.reader import AMOUNT, CELL, COUNTS, ENTITY_ROW, MONTHS_COUNT, months_before
from serving.dossiers.tables import CatalogueEntities, RowsOf, credible_mentions

SAFETY_REASONS = ("safety_concern", "allergic_reaction")
MONTHS_SCHEMA = pa.schema([(ENTITY_ROW, pa.int32()), (CELL, pa.uint8()), (AMOUNT, pa.int32())])
CELLS = MONTHS_COUNT * len(COUNTS)
SKUS_PER_SPAN = 1_000_000
"""At eight bytes a count and month, a span takes one gigabyte."""
ROWS_PER_BATCH, EVENTS_AT_ONCE = 65_536, 500_000


def has_months(tables: Tables) -> bool:
    """Whether there are any of the events that months count."""
    return any(tables.has(name) for name in _MONTHLY)


def month_batches(entities: CatalogueEntities) -> Iterator[pa.RecordBatch]:
    """The sums of each SKU, month and count that are not 0, in MONTHS_SCHEMA, by entity row and cell."""
    for start in range(0, entities.skus.stop, SKUS_PER_SPAN):
        sums = _add_up(replace(entities, skus=entities.skus.span(start, start + SKUS_PER_SPAN)))
        filled = np.flatnonzero(sums)
        for first in range(0, len(filled), ROWS_PER_BATCH):
            some = filled[first : first + ROWS_PER_BATCH]
            row, cell = np.divmod(some, CELLS)
            yield pa.RecordBatch.from_pydict({ENTITY_ROW: row + start, CELL: cell, AMOUNT: sums[some]})


def _add_up(entities: CatalogueEntities) -> NDArray[np.int64]:
    """The sums of all SKUs, months and COUNTS: the CELLS of a SKU side by side."""
    sums = np.zeros(len(entities.skus) * CELLS, np.int64)
    first, backend = np.datetime64(months_before(entities.as_of)[0], "M"), entities.tables.backend
    for events in (events for name, events in _MONTHLY.items() if entities.tables.has(name)):
        for batch in backend.to_pyarrow_batches(_recent(entities, events(entities)), chunk_size=EVENTS_AT_ONCE):
            days = batch["happened_on"].to_numpy(zero_copy_only=False)
            month = (days.astype("datetime64[M]") - first).astype(np.int64)
            row = batch[ENTITY_ROW].to_numpy().astype(np.int64) - entities.skus.start
            for number, name in enumerate(COUNTS):
                if name in batch.schema.names:
                    np.add.at(sums, row * CELLS + month * len(COUNTS) + number, batch[name].to_numpy())
    return sums


def _recent(entities: CatalogueEntities, events: ir.Table) -> ir.Table:
    """The events of the months, with entity row, day and those of COUNTS that they have."""
    recent = events.filter(events.happened_on >= months_before(entities.as_of)[0], events.happened_on < entities.as_of)
    joined = entities.of_skus(recent)
    counts = {name: joined[name].cast("int64").fill_null(0) for name in COUNTS if name in joined.columns}
    return joined.select(ENTITY_ROW, "happened_on", **counts)


def _sales(entities: CatalogueEntities) -> ir.Table:
    orders = entities.known("orders")
    return orders.select(*sku_key_columns(orders), "happened_on", "units")


def _returns(entities: CatalogueEntities) -> ir.Table:
    returns = entities.known("returns")
    units = returns.units.fill_null(1)
    safety = returns.reason.isin(SAFETY_REASONS).fill_null(False)
    return returns.select(
        *sku_key_columns(returns), "happened_on", returned_units=units, safety_returned_units=safety.ifelse(units, 0)
    )


def _reviews(entities: CatalogueEntities) -> ir.Table:
    reviews = entities.known("reviews")
    return reviews.select(*sku_key_columns(reviews), "happened_on", reviews=ibis.literal(1))


def _mentions(entities: CatalogueEntities) -> ir.Table:
    """One row per review with a credible mention of a hazard."""
    mentions = credible_mentions(entities)
    reviews = mentions.select(*sku_key_columns(mentions), "happened_on", "review_id").distinct()
    return reviews.mutate(hazard_mentions=ibis.literal(1))


_MONTHLY: Mapping[str, RowsOf] = {"orders": _sales, "returns": _returns, "reviews": _reviews, SIGNALS: _mentions}
