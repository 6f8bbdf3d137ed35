"""The columns of a contract table made of what a source holds: constants and value maps."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from data.errors import UserError
from data.sources.configuration import ColumnSource

SHOWN_VALUES = 5


def apply_mapping(rows: ir.Table, columns: Mapping[str, ColumnSource], folder: Path) -> ir.Table:
    """`rows` with each column that is a constant or mapped made of the raw one of its name, others as they are.

    Raises UserError where the file of a map, named from `folder`, cannot be used.
    """
    for name, made in columns.items():
        if made.const is not None:
            rows = rows.mutate(**{name: ibis.literal(made.const)})
        elif made.map is not None:
            rows = _replace_values(rows, name, read_map(made, folder), made.otherwise)
    return rows


def unmapped_values(rows: ir.Table, columns: Mapping[str, ColumnSource], folder: Path) -> Iterator[str]:
    """A sentence for each map that lacks values of the raw column, with how many rows hold them."""
    for name, made in columns.items():
        if made.map is None:
            continue
        known, text = read_map(made, folder), _key_text(rows[name])
        counts = rows.group_by(value=text).aggregate(n=rows.count())
        counts = counts.filter(counts.value.notnull() & (counts.value.length() > 0) & counts.value.notin(list(known)))
        unknown = counts.order_by(ibis.desc("n"), "value").to_pyarrow().to_pylist()
        if unknown:
            named = ", ".join(repr(each["value"]) for each in unknown[:SHOWN_VALUES])
            named += f" and {len(unknown) - SHOWN_VALUES} more" if len(unknown) > SHOWN_VALUES else ""
            becomes = f"read as {made.otherwise!r}" if made.otherwise is not None else "left as they are"
            held = sum(each["n"] for each in unknown)
            where = made.map if isinstance(made.map, str) else "its map"
            yield f"{name}: {where} lacks {named} ({held:,} {'row' if held == 1 else 'rows'}), {becomes}"


def read_map(made: ColumnSource, folder: Path) -> Mapping[str, str]:
    """The map of a column: as told, or from a CSV file (UTF-8) with the columns `from` and `to`.

    Raises UserError where the file is missing, lacks a column or says two things of one value.
    """
    if not isinstance(made.map, str):
        return made.map or {}
    path = folder / made.map
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            pairs = [((row["from"] or "").strip(), (row["to"] or "").strip()) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise UserError(
            f"The map {path} cannot be used: {_cause(error)}. Give a CSV file (UTF-8, commas) with the columns "
            "from and to."
        ) from error
    values = dict(pairs)
    twice = sorted({key for key, value in pairs if values[key] != value})
    if twice:
        raise UserError(f"The map {path} says two things of {', '.join(map(repr, twice))}. Leave one line of each.")
    return values


def _cause(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no column {error}"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _replace_values(rows: ir.Table, name: str, values: Mapping[str, str], otherwise: str | None) -> ir.Table:
    if not values:
        return rows
    lookup = ibis.memtable(
        pa.table({"lookup_from": pa.array(values, pa.string()), "lookup_to": pa.array(values.values(), pa.string())})
    )
    text = _key_text(rows[name])
    joined = rows.mutate(lookup_key=text).left_join(lookup, [("lookup_key", "lookup_from")])
    is_given = joined.lookup_key.length().fill_null(0) > 0
    rest = joined[name].cast("string") if otherwise is None else ibis.literal(otherwise)
    found = joined.lookup_from.notnull()
    value = ibis.ifelse(found, joined.lookup_to, ibis.ifelse(is_given, rest, ibis.null("string")))
    return joined.mutate(**{name: value}).select(*rows.columns)


def _key_text(raw: ir.Value) -> ir.StringValue:
    return raw.cast("string").strip()
