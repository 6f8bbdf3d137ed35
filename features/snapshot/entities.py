"""The entities of a catalogue on one day, numbered in the order of their keys."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pyarrow as pa

from data.lake.surrogate_keys import SKU_CODE, SKU_RANK, assign_sku_codes
from features.definition import KEYS, Entity, kept, left_join_missing
from features.fitted_tables import FittedTables
from features.groups.listing_and_category import READ
from features.groups.titles import title_key

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables


@dataclass(frozen=True)
class Morning:
    """The morning of `as_of`: `tables` with rows known before it and maybe later ones, and what training learned."""

    as_of: date
    tables: "Tables"
    reference: FittedTables

    @property
    def day(self) -> "ir.DateScalar":
        """The day as an expression."""
        import ibis

        return ibis.literal(self.as_of)


ASKED = "asked"


@dataclass(frozen=True)
class Places:
    """Entities from place `start` up to but without `stop`: `rows` holds the keys and `column` of each, once."""

    entity: Entity
    rows: "ir.Table"
    start: int
    stop: int

    @property
    def column(self) -> str:
        """The name under which rows carry the place of this kind of entity."""
        return place_of(self.entity)

    def found_in(self, events: "ir.Table", on: Sequence[str]) -> "ir.Table":
        """The events of these entities with `column`: as they carry it already, else by the keys `on`."""
        if self.column in events.columns:
            return self.within(events)
        return events.inner_join(self.rows.select(*on, self.column), list(on))

    def span(self, start: int, stop: int) -> "Places":
        """Those from `start` up to but without `stop`."""
        part = replace(self, start=start, stop=min(stop, self.stop))
        return replace(part, rows=part.within(self.rows))

    def within(self, rows: "ir.Table") -> "ir.Table":
        """Those of `rows`, which carry `column`, that are of these entities."""
        return rows.filter((rows[self.column] >= self.start) & (rows[self.column] < self.stop))


def place_of(entity: Entity) -> str:
    """The name of the column that holds the place of an entity."""
    return f"{entity}_place"


@contextmanager
def numbered(
    tables: "Tables", as_of: date, entities: Collection[Entity], *, described: bool = True
) -> Iterator[tuple["ir.Table", Mapping[Entity, Places]]]:
    """All SKUs with their codes and the places of their `entities`, and the places of those listed by `as_of`.

    An entity that nothing listed by then belongs to has no place. SKUs listed later come after all others: their
    events count for their supplier, though nobody asks for them. Where `described`, the rows of SKUs hold what
    features read of their listing.
    """
    with ExitStack() as stack:
        skus = _skus(stack, tables, "title" in entities)
        asked = skus.filter(skus.listed_on <= as_of)
        found: dict[Entity, Places] = {}
        for entity in (entity for entity in KEYS if entity in entities and entity != "sku"):
            keys = list(KEYS[entity])
            rows = _numbered(stack, tables, entity, asked.drop_null(keys).select(*keys).distinct())
            found[entity] = Places(entity, rows, 0, int(tables.backend.to_pyarrow(rows.count()).as_py()))
        places, count = _sku_places(tables, skus, as_of)
        codes = stack.enter_context(kept(tables, {"codes": places}))["codes"]
        columns = dict.fromkeys((SKU_CODE, *(key for entity in ("sku", *found) for key in KEYS[entity]),
                                 "supplier_id", *(("category", *READ) if described else ())))  # fmt: skip
        listing = skus.select(*columns).inner_join(codes, SKU_CODE)
        for other in found.values():
            listing = left_join_missing(listing, other.rows, KEYS[other.entity])
        listing = stack.enter_context(kept(tables, {"listing": listing}))["listing"]
        yield listing, {"sku": Places("sku", listing, 0, count).span(0, count), **found}


def _skus(stack: ExitStack, tables: "Tables", titled: bool) -> "ir.Table":
    """The SKUs with their codes, as the lake gave them or given now, and with `title_key` where it is wanted."""
    skus = tables["skus"]
    if SKU_CODE not in skus.columns:
        skus = stack.enter_context(kept(tables, {"coded": assign_sku_codes(skus)}))["coded"]
    if not titled:
        return skus
    titles = skus.select(SKU_CODE, title_key=title_key(skus.title))
    return skus.inner_join(stack.enter_context(kept(tables, {"titles": titles}))["titles"], SKU_CODE)


def _sku_places(tables: "Tables", skus: "ir.Table", as_of: date) -> tuple[pa.Table, int]:
    """The place of every SKU beside its code: first those listed by `as_of`, in the order of keys; and their number."""
    found = tables.backend.to_pyarrow(skus.select(SKU_CODE, SKU_RANK, asked=skus.listed_on <= as_of))
    asked = found[ASKED].to_numpy()
    order = np.argsort(found[SKU_RANK].to_numpy(), kind="stable")
    first = asked[order]
    count = int(first.sum())
    places = np.empty(len(asked), dtype=np.int32)
    places[order] = np.where(first, np.cumsum(first) - 1, count + np.cumsum(~first) - 1)
    return pa.table({SKU_CODE: found[SKU_CODE], place_of("sku"): places}), count


def _numbered(stack: ExitStack, tables: "Tables", entity: Entity, rows: "ir.Table") -> "ir.Table":
    """The rows with the place of the entity, computed once."""
    keys = KEYS[entity]
    place = ibis.row_number().over(order_by=list(keys)).cast("int32")
    wide = rows.select(*keys, place.name(place_of(entity)))
    return stack.enter_context(kept(tables, {entity: wide}))[entity]
