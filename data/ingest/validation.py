"""Row validation of one table: the rules, accepted rows, and quarantined rows with the rules they break."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import ibis
import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from data.contract import Column, Table
from data.ingest.file_formats import translate_read_errors
from data.ingest.sources import OpenedSource, Source
from data.ingest.values import READS_AS, has_value, parse_as
from data.lake.duckdb_engine import literal_path

STATED = "stated_"
FOUND = "found_"


def parse_columns(raw: ir.Table, table: Table) -> ir.Table:
    """Every contract column in its own type beside `stated_<column>`, and `row_number`.

    A column that the file lacks is missing in every row.
    """
    columns: dict[str, ir.Value] = {"row_number": raw["row_number"]}
    for column in table.columns:
        source = raw[column.name] if column.name in raw.columns else ibis.null("string")
        columns[column.name] = parse_as(source, column.kind)
        columns[STATED + column.name] = has_value(source)
    return raw.select(**columns)


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


@dataclass(frozen=True)
class TableCount:
    """Row counts of one table: `read == accepted + quarantined`.

    `rules` counts the rows that broke each rule, most common first; a row may break several. `ignored` names
    the columns that the contract does not know; `notes` say what was guessed to read the file, `warnings` what is
    suspicious about accepted rows.
    """

    table: str
    read: int
    accepted: int
    quarantined: int
    rules: Mapping[str, int]
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in a line, and one more for each rule broken and for columns nobody reads."""
        lines = [
            f"{self.table:<13}{self.read:>12,} read {self.accepted:>12,} accepted {self.quarantined:>9,} quarantined"
        ]
        lines += [f"{'':<13}{rows:>12,} {rule}" for rule, rows in self.rules.items()]
        lines += [f"{'':<13}not in the contract, left out: {', '.join(self.ignored)}"] if self.ignored else []
        lines += [f"{'':<13}{sentence}" for sentence in (*self.notes, *self.warnings)]
        return "\n".join(lines)


@dataclass(frozen=True)
class ValidatedTable:
    """The count of one table, and its accepted rows in the contract's types (with columns of the staging area).

    `rows` are all its rows so, `quarantine` the bad ones as given (None: there are none), `tombstones` as opened.
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
    # A view: Ibis would otherwise write the reading of each value once for every rule about it.
    values = backend.create_view(f"typed_{table.name}", parse_columns(opened.rows, table))
    checked = resolve_references(values, table, parents)
    checked = checked.mutate(broken_rules=_broken_rules(row_rules(checked, table, today)))
    with translate_read_errors(source.name):
        rows = bench.keep("rows", checked.select("row_number", *table.column_names, "broken_rules"))
    bad = bench.keep("bad", _bad_rows(rows, table))
    count = _count(table.name, opened, rows, bad)
    if not count.quarantined:
        return ValidatedTable(count, rows, rows, tombstones=opened.tombstones)
    quarantine = bench.keep("quarantine", _quarantine(opened.rows, bad, opened.unreadable))
    return ValidatedTable(count, rows.anti_join(bad, "row_number"), rows, quarantine, opened.tombstones)


def rejudge(rows: ir.Table, table: Table, parents: Mapping[str, ir.Table], today: date) -> ir.Table:
    """`rows` in the contract's types with `broken_rules` anew (NULL: none), duplicates aside."""
    stated = {STATED + column.name: rows[column.name].notnull() for column in table.columns}
    checked = resolve_references(rows.drop("broken_rules").mutate(**stated), table, parents)
    checked = checked.mutate(broken_rules=_broken_rules(row_rules(checked, table, today)))
    return checked.select(*rows.columns)


@dataclass(frozen=True)
class _StagingArea:
    """Folder for the steps of one table's validation as Parquet, so that no step is held in memory."""

    backend: Backend
    staging: Path
    name: str

    def keep(self, step: str, rows: ir.Table) -> ir.Table:
        """`rows`, computed and written to `<staging>/<step>/<table>.parquet`."""
        path = self.staging / step / f"{self.name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.backend.to_parquet(rows, path, compression="zstd")
        return self.backend.read_parquet(literal_path(path))


def _count(name: str, opened: OpenedSource, rows: ir.Table, bad: ir.Table) -> TableCount:
    lines = opened.unreadable
    read, rejected, unreadable = (int(each.count().to_pyarrow().as_py()) for each in (rows, bad, lines))
    rules: dict[str, int] = {}
    if rejected or unreadable:
        named = bad.select(rule=bad.broken_rules.unnest()).union(lines.select(rule=lines.broken_rules.unnest()))
        tally = named.group_by("rule").aggregate(broken_by=named.count()).order_by(ibis.desc("broken_by"), "rule")
        rules = {row["rule"]: int(row["broken_by"]) for row in tally.to_pyarrow().to_pylist()}
    return TableCount(
        name, read + unreadable, read - rejected, rejected + unreadable, rules, opened.ignored, opened.notes
    )


def _broken_rules(rules: Mapping[str, ir.BooleanValue]) -> ir.Value:
    named = [ibis.ifelse(broken, ibis.literal(rule), ibis.null("string")) for rule, broken in rules.items()]
    # The list is built only where something is broken: that is what keeps good rows cheap.
    return ibis.ifelse(
        ibis.or_(*rules.values()), ibis.array(named).filter(lambda rule: rule.notnull()), ibis.null("array<string>")
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
