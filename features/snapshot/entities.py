"""Snapshot date, and the entities of the catalogue on it, numbered in the order of their keys."""

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import ibis

from data.lake.surrogate_keys import SKU_CODE, SKU_KEY, SKU_RANK, assign_sku_codes
from features.definition import KEYS, Entity, left_join_missing
from features.fitted_tables import FittedTables
from features.groups.titles import title_key

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables


@dataclass(frozen=True)
class SnapshotDate:
    """Record of the day of a snapshot, its `tables` (rows known before that day, maybe later ones), fitted tables."""

    as_of: date
    tables: "Tables"
    reference: FittedTables


@dataclass(frozen=True)
class EntityRows:
    """Entities numbered from `start` up to but without `stop`: `rows` is a table of their keys and `column`."""

    entity: Entity
    rows: "ir.Table"
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def column(self) -> str:
        """The name of the column that holds the row number of this kind of entity."""
        return row_column(self.entity)

    def span(self, start: int, stop: int) -> "EntityRows":
        """Those from `start` up to but without `stop`."""
        part = replace(self, start=start, stop=min(stop, self.stop))
        return replace(part, rows=part.within(self.rows))

    def within(self, rows: "ir.Table") -> "ir.Table":
        """Those of `rows`, which carry `column`, that belong to these entities."""
        return rows.filter((rows[self.column] >= self.start) & (rows[self.column] < self.stop))


def row_column(entity: Entity) -> str:
    """The name of the column that holds the row number of an entity."""
    return f"{entity}_row"


@contextmanager
def enumerate_entities(
    tables: "Tables", as_of: date, entities: Collection[Entity]
) -> Iterator[tuple["ir.Table", Mapping[Entity, EntityRows]]]:
    """Table of all SKUs with code, keys and the row numbers of `entities`; the rows of those listed by `as_of`.

    An entity that nothing listed by then belongs to has no row. SKUs listed later come after all others: their events
    count for their supplier, though nobody asks for them. The tables last as long as the context.
    """
    with _temporary_tables(tables) as store:
        listing = _skus(tables, as_of)
        other_entities: dict[Entity, EntityRows] = {}
        for entity in (entity for entity in KEYS if entity in entities and entity != "sku"):
            keys = list(KEYS[entity])
            present = listing.filter(~listing.later).drop_null(keys).select(*keys).distinct()
            rows = store(present.mutate(**{row_column(entity): _row_number(*keys)}))
            other_entities[entity] = EntityRows(entity, rows, 0, _count(tables, rows))
        kinds: tuple[Entity, ...] = ("sku", "supplier", *other_entities)
        wanted = dict.fromkeys(key for entity in kinds for key in KEYS[entity])
        listing = listing.select(SKU_CODE, "later", *wanted, **{row_column("sku"): _row_number("later", SKU_RANK)})
        for other in other_entities.values():
            listing = left_join_missing(listing, other.rows, KEYS[other.entity])
        listing = store(listing)
        listed = _count(tables, listing.filter(~listing.later))
        yield listing, {"sku": EntityRows("sku", listing, 0, listed).span(0, listed), **other_entities}


@contextmanager
def _temporary_tables(tables: "Tables") -> "Iterator[Callable[[ir.Table], ir.Table]]":
    """Function that computes an expression once into a temporary table; all are dropped at the end."""
    names: list[str] = []

    def store(expression: "ir.Table") -> "ir.Table":
        names.append(f"stored_{uuid.uuid4().hex[:8]}")
        return tables.backend.create_table(names[-1], expression, temp=True)

    try:
        yield store
    finally:
        for name in names:
            tables.backend.drop_table(name, force=True)


def _skus(tables: "Tables", as_of: date) -> "ir.Table":
    """Every SKU with its code and rank, as the lake gave them or given now, its keys, and `later`: not listed yet."""
    skus = tables["skus"] if SKU_CODE in tables["skus"].columns else assign_sku_codes(tables["skus"])
    return skus.select(
        SKU_CODE, SKU_RANK, *SKU_KEY, "supplier_id", "factory_id", "category", title_key=title_key(skus.title),
        later=skus.listed_on > as_of,
    )  # fmt: skip


def _row_number(*order: str) -> "ir.IntegerColumn":
    return ibis.row_number().over(order_by=list(order)).cast("int32")


def _count(tables: "Tables", rows: "ir.Table") -> int:
    return int(tables.backend.to_pyarrow(rows.count()).as_py())
