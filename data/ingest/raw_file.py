"""One opened file: its rows as stored, the lines that are no rows, and what was guessed to read it."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

LINES = {"line_number": "int64", "line": "string", "broken_rules": "array<string>"}


@dataclass(frozen=True)
class ReadingOptions:
    """What is known of a file before it is opened.

    `columns` are names to look for in its header; a value of `single_line` columns never spans lines.
    """

    columns: frozenset[str] = frozenset()
    single_line: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RawFile:
    """An opened file.

    `rows` holds every named column as stored (of CSV, Excel and JSON as text) and `row_number` from 1.
    `unreadable` (line_number, line, broken_rules) holds the lines that are no row. `notes` are sentences that say
    what was guessed; `nameless` are the columns without a name, which `rows` leaves out.
    """

    rows: ir.Table
    unreadable: ir.Table
    notes: tuple[str, ...] = ()
    nameless: tuple[str, ...] = ()


def no_lines() -> ir.Table:
    """An empty table of unreadable lines."""
    return ibis.memtable([], schema=LINES)
