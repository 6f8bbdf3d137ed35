"""The entities of a catalogue on one day, numbered in the order of their keys."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import ibis

from features.feature import KEYS, Entity
from features.listing import READ
from features.prepared import kept
from features.source import joined
from features.titles import title_key

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.tables import Tables

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
            return self._within(events)
        return events.inner_join(self.rows.select(*on, self.column), list(on))

    def span(self, start: int, stop: int) -> "Places":
        """Those from `start` up to but without `stop`."""
        part = replace(self, start=start, stop=min(stop, self.stop))
        return replace(part, rows=part._within(self.rows))

    def _within(self, rows: "ir.Table") -> "ir.Table":
        return rows.filter((rows[self.column] >= self.start) & (rows[self.column] < self.stop))


def place_of(entity: Entity) -> str:
    """The name of the column that holds the place of an entity."""
    return f"{entity}_place"


@contextmanager
def numbered(
    tables: "Tables", as_of: date, entities: Collection[Entity]
) -> Iterator[tuple["ir.Table", Mapping[Entity, Places]]]:
    """All SKUs with the places of their `entities`, and the places of those that are listed by `as_of`.

    An entity that nothing listed by then belongs to has no place. SKUs listed later come after all others: their
    events count for their supplier, though nobody asks for them.
    """
    with ExitStack() as stack:
        listing = stack.enter_context(kept(tables, {"listing": _listing(tables, as_of)}))["listing"]
        found: dict[Entity, Places] = {}
        for entity in (entity for entity in KEYS if entity in entities and entity != "sku"):
            keys = list(KEYS[entity])
            present = listing.filter(listing[ASKED]).drop_null(keys).select(*keys).distinct()
            rows = _numbered(stack, tables, entity, present, keys)
            found[entity] = Places(entity, rows, 0, _count(tables, rows))
        for places in found.values():
            listing = joined(listing, places.rows, KEYS[places.entity])
        rows = _numbered(stack, tables, "sku", listing, [ibis.desc(ASKED), *KEYS["sku"]])
        asked = _count(tables, rows.filter(rows[ASKED]))
        yield rows, {"sku": Places("sku", rows, 0, asked).span(0, asked), **found}


def _listing(tables: "Tables", as_of: date) -> "ir.Table":
    """Every SKU with the keys of its entities, what features read of its listing, and whether it is asked for."""
    skus = tables["skus"]
    return skus.select(
        "sku_id", "market", "supplier_id", "factory_id", "category", *READ,
        title_key=title_key(skus.title), asked=skus.listed_on <= as_of,
    )  # fmt: skip


def _numbered(
    stack: ExitStack, tables: "Tables", entity: Entity, rows: "ir.Table", order: "Sequence[ir.Value | str]"
) -> "ir.Table":
    """The rows with the place of the entity, computed once."""
    keys = KEYS[entity]
    place = ibis.row_number().over(order_by=list(order)).cast("int32")
    numbers = rows.select(*keys, place.name(place_of(entity)))  # sorted without their other columns
    wide = joined(rows, numbers, keys) if len(rows.columns) > len(keys) else numbers
    return stack.enter_context(kept(tables, {entity: wide}))[entity]


def _count(tables: "Tables", rows: "ir.Table") -> int:
    return int(tables.backend.to_pyarrow(rows.count()).as_py())
