"""Rows that several sources read alike: computed where they are asked for, or once for a whole snapshot."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.tables import Tables

Name = TypeVar("Name", bound=str)
Rows = Callable[["Tables"], "ir.Table"]

# A SKU's own features read nothing in these tables but rows with its sku_id; `certificates` is not among them, since
# a status may be superseded by a row that names another SKU.
OWN_TO_A_SKU = ("skus", "orders", "returns", "reviews", "lab_tests", "incidents", "holds")


@dataclass(frozen=True)
class SkuSpan:
    """The SKUs from `first` on, up to but without `stop`; no stop is no end."""

    first: str
    stop: str | None


def shared(rows: Rows) -> Rows:
    """`rows`, or the table of its name where the tables at hand carry it already."""
    name = rows.__name__

    @wraps(rows)
    def found(tables: "Tables") -> "ir.Table":
        return tables[name] if tables.has(name) else rows(tables)

    return found


@contextmanager
def kept(tables: "Tables", expressions: Mapping[Name, "ir.Table"]) -> Iterator[Mapping[Name, "ir.Table"]]:
    """Each expression computed once into a temporary table, dropped at the end."""
    found: dict[Name, ir.Table] = {}
    names = {name: f"{name}_{uuid.uuid4().hex[:8]}" for name in expressions}
    try:
        for name, expression in expressions.items():
            found[name] = tables.backend.create_table(names[name], expression, temp=True)
        yield found
    finally:
        for name in found:
            tables.backend.drop_table(names[name], force=True)


@contextmanager
def prepared(tables: "Tables", rows: Sequence[Rows]) -> Iterator["Tables"]:
    """The tables with each of `rows`, functions under `shared`, computed once where its contract tables are given."""
    with kept(tables, {each.__name__: each(tables) for each in rows if not tables.has(each.__name__)}) as found:
        yield replace(tables, given={**tables.given, **found})


def of_span(tables: "Tables", span: SkuSpan, own: Sequence[Rows]) -> "Tables":
    """The tables with only the rows that the features of the span's SKUs read; `own` are also filtered by sku_id."""
    given = dict(tables.given)
    for name in (*OWN_TO_A_SKU, *(rows.__name__ for rows in own)):
        if name in given:
            from_first = given[name].filter(given[name].sku_id >= span.first)
            given[name] = from_first if span.stop is None else from_first.filter(from_first.sku_id < span.stop)
    return replace(tables, given=given)
