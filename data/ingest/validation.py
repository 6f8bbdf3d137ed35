"""Row validation of one table: accepted rows, and quarantined rows with the rules they break."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend

from data.contract_schema import Table
from data.ingest.own_columns import declarable_lines
from data.ingest.quality_warnings import spelling_warnings, summarize_warnings, unknown_examples
from data.ingest.row_rules import (
    STATED,
    duplicate_rule,
    later_duplicates,
    listed_where,
    parse_columns,
    resolve_references,
    row_rules,
    trim_values,
)
from data.ingest.sources import OpenedSource, Source
from data.lake.duckdb_engine import literal_path
from data.reading.file_formats import translate_read_errors


@dataclass(frozen=True)
class TableCount:
    """Row counts of one table: `read == accepted + quarantined`.

    `rules` counts the rows that broke each rule, most common first; a row may break several. `ignored` names
    the columns that the contract does not know; `notes` say what was guessed to read the file, `warnings` what is
    suspicious about its values. `examples` show what breaks a rule, where that tells more than the rule. `declarable`
    are lines for `features.toml` about the columns left out.
    """

    table: str
    read: int
    accepted: int
    quarantined: int
    rules: Mapping[str, int]
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    examples: Mapping[str, str] = field(default_factory=dict)
    declarable: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in a line, and one more for each rule broken and for columns nobody reads."""
        lines = [
            f"{self.table:<13}{self.read:>12,} read {self.accepted:>12,} accepted {self.quarantined:>9,} quarantined"
        ]
        lines += [f"{'':<13}{rows:>12,} {self.with_example(rule)}" for rule, rows in self.rules.items()]
        lines += [f"{'':<13}not in the contract, left out: {', '.join(self.ignored)}"] if self.ignored else []
        lines += [f"{'':<13}{sentence}" for sentence in (*self.notes, *self.warnings)]
        return "\n".join(lines)

    def with_example(self, rule: str) -> str:
        """The rule, and an example of what breaks it where one tells more."""
        return f"{rule}, {self.examples[rule]}" if rule in self.examples else rule


@dataclass(frozen=True)
class ValidatedTable:
    """The count of one table, and its accepted rows in the contract's types (with columns of the staging area).

    `rows` are all its rows so, `quarantine` the bad ones as given (None: there are none), `tombstones` the keys to
    be deleted in the contract's types.
    """

    count: TableCount
    accepted: ir.Table
    rows: ir.Table
    quarantine: ir.Table | None = None
    tombstones: ir.Table | None = None


def validate_source(
    backend: Backend, source: Source, parents: Mapping[str, ir.Table], today: date, staging: Path
) -> ValidatedTable:
    """Validate every row of `source`; `parents` holds the accepted rows of the tables validated before.

    Bad rows go to `staging/quarantine/<table>.parquet`: `row_number` (from 1, over the readable rows),
    `broken_rules`, every contract column the file has with its original value as text, and for lines that are
    not CSV `line_number` and `line`. Raises UserError where the file cannot be read.
    """
    table, bench = source.table, _StagingArea(backend, staging, source.table.name)
    opened = source.open(backend)
    # Views: Ibis would otherwise write the reading of each value once for every rule about it.
    trimmed = backend.create_view(f"trimmed_{table.name}", trim_values(opened.rows, table))
    values = backend.create_view(f"typed_{table.name}", parse_columns(trimmed, table, opened.forms))
    checked = resolve_references(values, table, parents)
    checked = checked.mutate(broken_rules=listed_where(row_rules(checked, table, today)))
    with translate_read_errors(source.name):
        rows = bench.keep("rows", checked.select("row_number", *table.column_names, "broken_rules", "warnings"))
    bad = bench.keep("bad", _bad_rows(rows, table))
    count = _count(bench, opened, bad)
    warnings = (*summarize_warnings(rows, opened.rows), *spelling_warnings(opened.rows, table))
    declarable = () if opened.unknown is None else declarable_lines(opened.unknown, table, today)
    examples = unknown_examples(bad, rows, table, parents, count.rules)
    count = replace(count, warnings=warnings, declarable=declarable, examples=examples)
    rows, tombstones = rows.drop("warnings"), _typed_keys(opened, table)
    if not count.quarantined:
        return ValidatedTable(count, rows, rows, tombstones=tombstones)
    quarantine = bench.keep("quarantine", _quarantine(opened.rows, bad, opened.unreadable))
    return ValidatedTable(count, rows.anti_join(bad, "row_number"), rows, quarantine, tombstones)


def _typed_keys(opened: OpenedSource, table: Table) -> ir.Table | None:
    if opened.tombstones is None:
        return None
    return parse_columns(trim_values(opened.tombstones, table), table, opened.forms).select(*table.key)


def rejudge(rows: ir.Table, table: Table, parents: Mapping[str, ir.Table], today: date) -> ir.Table:
    """`rows` in the contract's types with `broken_rules` anew (NULL: none), duplicates aside."""
    stated = {STATED + column.name: rows[column.name].notnull() for column in table.columns}
    checked = resolve_references(rows.drop("broken_rules").mutate(**stated), table, parents)
    checked = checked.mutate(broken_rules=listed_where(row_rules(checked, table, today)))
    return checked.select(*rows.columns)


@dataclass(frozen=True)
class _StagingArea:
    """Folder for the steps of one table's validation as Parquet, so that no step is held in memory."""

    backend: Backend
    staging: Path
    name: str

    def keep(self, step: str, rows: ir.Table) -> ir.Table:
        """`rows`, computed and written to `<staging>/<step>/<table>.parquet`."""
        path = self._path(step)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.backend.to_parquet(rows, path, compression="zstd")
        return self.backend.read_parquet(literal_path(path))

    def rows(self, step: str) -> int:
        """How many rows were written."""
        return int(pq.read_metadata(self._path(step)).num_rows)

    def _path(self, step: str) -> Path:
        return self.staging / step / f"{self.name}.parquet"


def _count(bench: _StagingArea, opened: OpenedSource, bad: ir.Table) -> TableCount:
    lines = opened.unreadable
    read, rejected, unreadable = bench.rows("rows"), bench.rows("bad"), int(lines.count().to_pyarrow().as_py())
    rules: dict[str, int] = {}
    if rejected or unreadable:
        named = bad.select(rule=bad.broken_rules.unnest()).union(lines.select(rule=lines.broken_rules.unnest()))
        tally = named.group_by("rule").aggregate(broken_by=named.count()).order_by(ibis.desc("broken_by"), "rule")
        rules = {row["rule"]: int(row["broken_by"]) for row in tally.to_pyarrow().to_pylist()}
    return TableCount(
        bench.name, read + unreadable, read - rejected, rejected + unreadable, rules, opened.ignored, opened.notes
    )


def _bad_rows(rows: ir.Table, table: Table) -> ir.Table:
    later = later_duplicates(rows, table)
    later = later.select(later_number=later.row_number, duplicate=ibis.array([duplicate_rule(table)]))
    joined = rows.left_join(later, rows.row_number == later.later_number)
    no_rules = ibis.literal([], type="array<string>")
    broken = joined.broken_rules.fill_null(no_rules).concat(joined.duplicate.fill_null(no_rules))
    bad = joined.filter(joined.broken_rules.notnull() | joined.duplicate.notnull())
    return bad.select("row_number", broken_rules=broken)


def _quarantine(raw: ir.Table, bad: ir.Table, lines: ir.Table) -> ir.Table:
    texts = {name: raw[name].cast("string") for name in raw.columns if name != "row_number"}
    rows = raw.select("row_number", **texts).inner_join(bad, "row_number")
    rows = rows.select("row_number", "broken_rules", *texts, line_number=ibis.null("int64"), line=ibis.null("string"))
    absent = dict.fromkeys(texts, ibis.null("string"))
    lines = lines.select("broken_rules", "line_number", "line", row_number=ibis.null("int64"), **absent)
    return rows.union(lines.select(*rows.columns)).order_by("row_number", "line_number")
