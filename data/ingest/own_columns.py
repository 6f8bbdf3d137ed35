"""Columns that the contract does not know and a marketplace could declare as features, as lines for `features.toml`."""

from collections.abc import Mapping
from datetime import date

import ibis.expr.types as ir

from data.contract_schema import Column, Table
from data.own_features import OwnFeaturePolicy
from data.policy import policy_in_force
from data.reading.values import bare, has_value, parse_as

DECLARABLE = ("skus", "suppliers")
LOOKED_AT = 20_000
"""Rows from which the kind of a column is guessed."""

MOST_CHOICES = 20
"""More values than this are told as codes."""


def declarable_lines(rows: ir.Table, table: Table, today: date) -> tuple[str, ...]:
    """Lines of `features.toml`, an entry for each column of `rows` that could be a feature of this table.

    A column that policy bars is named with the reason, one whose values are all different as no feature. The kinds are
    guesses from the first rows.
    """
    if table.name not in DECLARABLE:
        return ()
    policy = policy_in_force(OwnFeaturePolicy, today)
    lines: list[str] = []
    for column in rows.columns:
        barred = policy.why_barred(table.name, None, column)
        counts = {} if barred else _counts(rows.select(column).limit(LOOKED_AT), column)
        if barred:
            lines += [f"# {column} of {table.name} can not be declared: {barred}.", ""]
        elif counts["values"]:
            lines += [*_entry(column, table, counts), ""]
    return tuple(lines)


def _counts(rows: ir.Table, column: str) -> Mapping[str, int]:
    """How many values a column has, how many different ones, and how many read as numbers and as true or false."""
    value = bare(rows[column])
    stated = rows.filter(has_value(value)).select(value=value)
    as_number, as_truth = (parse_as(stated.value, Column(column, kind, "")) for kind in ("number", "truth"))
    [counts] = (
        stated.aggregate(
            values=stated.count(), distinct=stated.value.nunique(), numbers=as_number.count(), truths=as_truth.count()
        )
        .to_pyarrow()
        .to_pylist()
    )
    return {name: int(count) for name, count in counts.items()}


def _entry(column: str, table: Table, counts: Mapping[str, int]) -> list[str]:
    values, distinct = counts["values"], counts["distinct"]
    if counts["truths"] == values:
        kind = "yes/no"
    elif counts["numbers"] == values and distinct > 2:
        kind = "number"
    else:
        kind = "choice" if distinct <= MOST_CHOICES else "code"
    entry = [
        f"[feature.{_feature_name(column)}]", f'table = "{table.name}"', f"column = {_quoted(column)}",
        f'kind = "{kind}"', f'meaning = {_quoted(column.replace("_", " "))}',
    ]  # fmt: skip
    if kind == "code" and distinct > values / 2:
        return [f"# Nearly every row has another {column}: as it is no feature.", *(f"# {line}" for line in entry)]
    return entry


def _feature_name(column: str) -> str:
    words = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in column.lower()).strip("_")
    return words if words[:1].isalpha() else f"column_{words}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
