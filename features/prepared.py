"""Rows that several sources read alike: computed where they are asked for, or once for a whole snapshot."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables

Name = TypeVar("Name", bound=str)
Rows = Callable[["Tables"], "ir.Table"]


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
