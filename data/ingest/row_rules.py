"""Rules that a row of one table can break, as columns of its typed values."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import ibis
import ibis.expr.types as ir

from data import rule_texts
from data.contract_schema import Column, Table
from data.ingest.quality_warnings import TRIMMED, value_warnings
from data.reading.values import HIDDEN, PLAIN, ColumnForm, bare, has_blank_end, has_value, is_blank, parse_as

STATED = "stated_"
FOUND = "found_"
NO_FORMS: Mapping[str, ColumnForm] = MappingProxyType({})


def parse_columns(values: ir.Table, table: Table, forms: Mapping[str, ColumnForm] = NO_FORMS) -> ir.Table:
    """Every contract column in its own type beside `stated_<column>`, and `row_number`.

    `values` come from `trim_values`. A column that the file lacks is missing in every row; what is not stated
    is missing or the column's default.
    """
    columns: dict[str, ir.Value] = {"row_number": values["row_number"]}
    for column in table.columns:
        value = values[column.name] if column.name in values.columns else ibis.null("string")
        parsed, is_stated = parse_as(value, column, forms.get(column.name, PLAIN)), has_value(value, column.kind)
        columns[column.name] = parsed if column.default is None else is_stated.ifelse(parsed, column.default)
        columns[STATED + column.name] = is_stated
    columns["warnings"] = listed_where(value_warnings(values, table))
    return values.select(**columns)


def trim_values(rows: ir.Table, table: Table) -> ir.Table:
    """Rows as stored without the blanks around their texts, of free text only where it is blank.

    `trimmed_<column>` says of other texts whether blanks were cut off.
    """
    columns: dict[str, ir.Value] = {"row_number": rows["row_number"]}
    for column in table.columns:
        if column.name not in rows.columns:
            continue
        raw = rows[column.name]
        if not column.free:
            columns[column.name] = bare(raw)
        elif raw.type().is_string():
            columns[column.name] = ibis.ifelse(is_blank(raw), ibis.null("string"), raw)
        else:
            columns[column.name] = raw
        if column.kind == "text" and not column.free and raw.type().is_string():
            columns[TRIMMED + column.name] = has_blank_end(raw) & ~is_blank(raw)
    return rows.select(**columns)


def resolve_references(rows: ir.Table, table: Table, accepted: Mapping[str, ir.Table]) -> ir.Table:
    """`rows` with `found_<n>`, whether the table's n-th reference exists among the accepted rows of its parent."""
    for n, reference in enumerate(table.references):
        parents = accepted[reference.table].select(**{f"parent_{c}": c for c in reference.columns}).distinct()
        parents = parents.mutate(**{f"{FOUND}{n}": True})
        matches = [rows[c] == parents[f"parent_{c}"] for c in reference.columns]
        rows = rows.left_join(parents, matches).drop(*(f"parent_{c}" for c in reference.columns))
    return rows


def row_rules(rows: ir.Table, table: Table, today: date) -> dict[str, ir.BooleanValue]:
    """Every rule that a row can break by itself or by what it refers to, by the sentence that names it.

    `rows` comes from `parse_columns` and `resolve_references`; `today` is the last day on which anything can have
    happened.
    """
    rules: dict[str, ir.BooleanValue] = {}
    for column in table.columns:
        rules |= _column_rules(rows, column)
    if table.one_of:
        rules[rule_texts.none_of(table.one_of)] = ~ibis.or_(*(rows[STATED + c] for c in table.one_of))
    rules |= _time_rules(rows, table, today)
    for n, reference in enumerate(table.references):
        complete = ibis.and_(*(rows[c].notnull() for c in reference.columns))
        rules[rule_texts.unknown(reference.columns)] = complete & rows[f"{FOUND}{n}"].isnull()
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
        rules[rule_texts.missing(column)] = ~is_stated
    if column.kind != "text":
        rules[rule_texts.unreadable(column)] = is_stated & value.isnull()
    elif not column.choices:
        rules[rule_texts.too_long(column)] = value.length() > column.longest
        if not column.free:
            rules[rule_texts.invisible(column)] = value.re_search(HIDDEN)
    if column.choices:
        rules[rule_texts.not_a_choice(column)] = value.notin(column.choices)
    if column.minimum is not None:
        rules[rule_texts.below_minimum(column)] = value < column.minimum
    if column.above is not None:
        rules[rule_texts.not_above(column)] = value <= column.above
    if column.maximum is not None:
        rules[rule_texts.above_maximum(column)] = value > column.maximum
    return rules


def _time_rules(rows: ir.Table, table: Table, today: date) -> dict[str, ir.BooleanValue]:
    times = [column.name for column in table.columns if column.kind == "day" and not column.open_ended]
    rules: dict[str, ir.BooleanValue] = {rule_texts.in_future(name): rows[name] > today for name in times}
    if {"happened_on", "known_on"} <= set(times):
        rules[rule_texts.KNOWN_BEFORE] = rows.known_on < rows.happened_on
    return rules


def listed_where(rules: Mapping[str, ir.BooleanValue]) -> ir.Value:
    """The names of the rules that a row breaks, NULL where it breaks none."""
    named = [ibis.ifelse(broken, ibis.literal(rule), ibis.null("string")) for rule, broken in rules.items()]
    # The list is built only where something is broken: that is what keeps good rows cheap.
    return ibis.ifelse(
        ibis.or_(*rules.values()), ibis.array(named).filter(lambda rule: rule.notnull()), ibis.null("array<string>")
    )
