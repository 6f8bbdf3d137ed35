"""Warnings about values that are accepted but suspicious: counted, each with an example."""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import ibis
import ibis.expr.types as ir

from data import rule_texts
from data.contract_schema import Table
from data.errors import join_names
from data.reading.values import HIDDEN_IN_TEXT, is_placeholder

TRIMMED, ZEROLESS, KNOWN = "trimmed_", "zeroless_", "known_parent_"
PLACEHOLDER, BLANKS_CUT, HIDDEN = "placeholder", "blanks", "hidden"
_WORDS = {
    PLACEHOLDER: "{column}: {n:,} {values} read as not given, since {example} is a placeholder",
    BLANKS_CUT: "{column}: the blanks around {n:,} {values} cut off, such as {example!r}",
    HIDDEN: "{column}: characters that nobody sees in {n:,} {values}, such as {example!r}",
}
EXAMPLES = 5


def value_warnings(values: ir.Table, table: Table) -> dict[str, ir.BooleanValue]:
    """Whether each value of the trimmed `values` is suspicious, by `<kind> <column>`."""
    warned: dict[str, ir.BooleanValue] = {}
    for column in table.columns:
        if column.name not in values.columns:
            continue
        if column.kind == "day":
            warned[f"{PLACEHOLDER} {column.name}"] = is_placeholder(values[column.name]).fill_null(False)
        elif TRIMMED + column.name in values.columns:
            warned[f"{BLANKS_CUT} {column.name}"] = values[TRIMMED + column.name].fill_null(False)
        elif column.free and not table.timed and values[column.name].type().is_string():  # a catalogue's, not reviews
            warned[f"{HIDDEN} {column.name}"] = values[column.name].re_search(HIDDEN_IN_TEXT).fill_null(False)
    return warned


def summarize_warnings(rows: ir.Table, raw: ir.Table) -> tuple[str, ...]:
    """A sentence per kind of suspicious value and column; `rows` has `warnings`, `raw` the values as stored."""
    warned = rows.filter(rows.warnings.notnull())
    named = warned.select("row_number", warning=warned.warnings.unnest())
    tally = named.group_by("warning").aggregate(n=named.count(), first=named.row_number.min()).order_by("warning")
    counts = tally.to_pyarrow().to_pylist()
    if not counts:
        return ()
    examples = raw.filter(raw.row_number.isin([count["first"] for count in counts])).to_pyarrow().to_pylist()
    by_row = {example["row_number"]: example for example in examples}
    sentences = []
    for count in counts:
        kind, _, column = count["warning"].partition(" ")
        values, example = "value" if count["n"] == 1 else "values", by_row[count["first"]][column]
        sentences.append(_WORDS[kind].format(n=count["n"], column=column, values=values, example=example))
    return tuple(sentences)


def spelling_warnings(raw: ir.Table, table: Table) -> tuple[str, ...]:
    """A sentence per group of values that differ only in case, width, accents' form or blanks."""
    sentences = []
    for column in table.columns:
        if not column.grouping or column.name not in raw.columns:
            continue
        tally = raw.group_by(value=raw[column.name].cast("string")).aggregate(n=raw.count()).drop_null("value")
        groups: dict[str, list[str]] = defaultdict(list)
        for row in tally.order_by(ibis.desc("n"), "value").to_pyarrow().to_pylist():
            groups[_plain(row["value"])].append(row["value"])
        for plain, spellings in groups.items():
            if plain and len(spellings) > 1:
                shown = [each if each == each.strip() else repr(each) for each in spellings[:EXAMPLES]]
                sentences.append(f"{len(spellings)} spellings of one {column.name}: {', '.join(shown)}")
    return tuple(sentences)


def _plain(value: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def unknown_examples(
    bad: ir.Table, rows: ir.Table, table: Table, parents: Mapping[str, ir.Table], rules: Collection[str]
) -> dict[str, str]:
    """An example of each kind of unknown reference among the `bad` rows, by its rule, of the broken `rules` alone.

    Where one differs from a known one only by zeros in front, as spreadsheets cut them off, it says so.
    """
    examples = {}
    for reference in table.references:
        rule, columns = rule_texts.unknown(reference.columns), list(reference.columns)
        if rule not in rules:
            continue
        lost = bad.filter(bad.broken_rules.contains(rule)).select("row_number")
        keys = rows.semi_join(lost, "row_number").group_by(columns).aggregate(n=lambda t: t.count())
        keys = keys.mutate(**{ZEROLESS + column: keys[column].re_replace("^0+", "") for column in columns})
        known = parents[reference.table].select(*columns).distinct()
        known = known.select(
            **{KNOWN + column: known[column] for column in columns},
            **{ZEROLESS + column: known[column].re_replace("^0+", "") for column in columns},
        )
        joined = keys.left_join(known, [ZEROLESS + column for column in columns]).order_by(*columns)
        lost_zeros = joined.filter(joined[KNOWN + columns[0]].notnull())
        first = lost_zeros.limit(1).to_pyarrow().to_pylist() or joined.limit(1).to_pyarrow().to_pylist()
        if first:
            examples[rule] = _unknown_example(first[0], columns)
    return examples


def _unknown_example(row: Mapping[str, str], columns: Sequence[str]) -> str:
    shown = f"such as {', '.join(repr(row[column]) for column in columns)}"
    if row[KNOWN + columns[0]] is None:
        return shown
    known = [repr(row[KNOWN + column]) for column in columns if row[KNOWN + column] != row[column]]
    return f"{shown}, which lacks the zeros in front of {join_names(known)}"
