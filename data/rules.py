"""What a row must satisfy, derived from the contract as boolean Ibis expressions; True means broken."""

from collections.abc import Mapping
from datetime import date

import ibis
import ibis.expr.types as ir

from data.contract import Column, Table
from data.values import READS_AS, read_as, stated

STATED = "stated_"
FOUND = "found_"


def typed(raw: ir.Table, table: Table) -> ir.Table:
    """Every contract column in its own type beside `stated_<column>`, and `row_number`.

    A column that the file lacks is missing in every row.
    """
    columns: dict[str, ir.Value] = {"row_number": raw["row_number"]}
    for column in table.columns:
        source = raw[column.name] if column.name in raw.columns else ibis.null("string")
        columns[column.name] = read_as(source, column.kind)
        columns[STATED + column.name] = stated(source)
    return raw.select(**columns)


def resolved(rows: ir.Table, table: Table, accepted: Mapping[str, ir.Table]) -> ir.Table:
    """`rows` with `found_<n>`, whether the table's n-th reference exists among the accepted rows of its parent."""
    for n, reference in enumerate(table.references):
        parents = accepted[reference.table].select(**{f"parent_{c}": c for c in reference.columns}).distinct()
        parents = parents.mutate(**{f"{FOUND}{n}": True})
        matches = [rows[c] == parents[f"parent_{c}"] for c in reference.columns]
        rows = rows.left_join(parents, matches).drop(*(f"parent_{c}" for c in reference.columns))
    return rows


def row_rules(rows: ir.Table, table: Table, today: date) -> dict[str, ir.BooleanValue]:
    """Every rule that a row can break by itself or by what it refers to, by the sentence that names it.

    `rows` comes from `typed` and `resolved`; `today` is the last day on which anything can have happened.
    """
    rules: dict[str, ir.BooleanValue] = {}
    for column in table.columns:
        rules |= _column_rules(rows, column)
    if table.one_of:
        rules[f"neither {' nor '.join(table.one_of)} is given"] = ~ibis.or_(*(rows[STATED + c] for c in table.one_of))
    rules |= _time_rules(rows, table, today)
    for n, reference in enumerate(table.references):
        complete = ibis.and_(*(rows[c].notnull() for c in reference.columns))
        rules[f"unknown {', '.join(reference.columns)}"] = complete & rows[f"{FOUND}{n}"].isnull()
    return {rule: broken.fill_null(False) for rule, broken in rules.items()}


def duplicate_rule(table: Table) -> str:
    """The sentence for a row whose key an earlier, otherwise acceptable row already has."""
    return f"duplicate {', '.join(table.key)}"


def later_duplicates(rows: ir.Table, table: Table) -> ir.Table:
    """The `row_number` of every row whose key an earlier row with no `broken_rules` already has.

    Keys are first grouped by their 64-bit hash, which takes a fixed 8 bytes a row however long the keys are;
    only suspects are compared in full.
    """
    keyed = rows.drop_null(table.key).mutate(key_hash=ibis.struct({c: rows[c] for c in table.key}).hash())
    shared = keyed.group_by("key_hash").aggregate(n=keyed.count()).filter(lambda t: t.n > 1)
    suspects = keyed.semi_join(shared, "key_hash")
    first = suspects.row_number.min(where=suspects.broken_rules.isnull())
    return (
        suspects.group_by(table.key).mutate(first=first).filter(lambda t: t.row_number > t.first).select("row_number")
    )


def _column_rules(rows: ir.Table, column: Column) -> dict[str, ir.BooleanValue]:
    value, is_stated = rows[column.name], rows[STATED + column.name]
    rules: dict[str, ir.BooleanValue] = {}
    if column.required:
        rules[f"{column.name} is missing"] = ~is_stated
    if column.kind != "text":
        rules[f"{column.name} is not {READS_AS[column.kind]}"] = is_stated & value.isnull()
    if column.choices:
        rules[f"{column.name} is not one of {', '.join(column.choices)}"] = value.notin(column.choices)
    if column.minimum is not None:
        rules[f"{column.name} is below {column.minimum:g}"] = value < column.minimum
    if column.maximum is not None:
        rules[f"{column.name} is above {column.maximum:g}"] = value > column.maximum
    return rules


def _time_rules(rows: ir.Table, table: Table, today: date) -> dict[str, ir.BooleanValue]:
    times = [name for name in ("happened_on", "known_on") if name in table.column_names]
    rules = {f"{name} is in the future": rows[name] > today for name in times}
    if len(times) == 2:
        rules["known_on is before happened_on"] = rows.known_on < rows.happened_on
    return rules
