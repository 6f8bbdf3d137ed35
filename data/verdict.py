"""Which rows of one table are accepted, and which are quarantined for which rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import ibis
import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from data.engine import literal_path
from data.rules import duplicate_rule, later_duplicates, resolved, row_rules, typed
from data.sources import Source, open_source, readable


@dataclass(frozen=True)
class TableCount:
    """What became of one table: `read == accepted + quarantined`.

    `rules` counts the rows that broke each rule, most common first; a row may break several. `ignored` names
    the columns that the contract does not know.
    """

    table: str
    read: int
    accepted: int
    quarantined: int
    rules: Mapping[str, int]
    ignored: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in a line, and one more for each rule broken and for columns nobody reads."""
        lines = [
            f"{self.table:<13}{self.read:>12,} read {self.accepted:>12,} accepted {self.quarantined:>9,} quarantined"
        ]
        lines += [f"{'':<13}{rows:>12,} {rule}" for rule, rows in self.rules.items()]
        lines += [f"{'':<13}not in the contract, left out: {', '.join(self.ignored)}"] if self.ignored else []
        return "\n".join(lines)


@dataclass(frozen=True)
class Verdict:
    """The count of one table, and its accepted rows in the contract's types (with columns of the bench beside)."""

    count: TableCount
    accepted: ir.Table


def judge(backend: Backend, source: Source, parents: Mapping[str, ir.Table], today: date, staging: Path) -> Verdict:
    """Judge every row of `source`; `parents` holds the accepted rows of the tables judged before.

    Bad rows go to `staging/quarantine/<table>.parquet`: `row_number` (from 1, over the readable rows),
    `broken_rules`, every contract column the file has with its original value as text, and for lines that are
    not CSV `line_number` and `line`. Raises Refusal where the file cannot be read.
    """
    table, bench = source.table, _Bench(backend, staging, source.table.name)
    opened = open_source(backend, source)
    # A view: Ibis would otherwise write the reading of each value once for every rule about it.
    values = backend.create_view(f"typed_{table.name}", typed(opened.rows, table))
    checked = resolved(values, table, parents)
    checked = checked.mutate(broken_rules=_broken(row_rules(checked, table, today)))
    with readable(source):
        rows = bench.keep("rows", checked.select("row_number", *table.column_names, "broken_rules"))
    bad = bench.keep("bad", _bad_rows(rows, source))
    lines = _unreadable_lines(backend, source)
    count = _count(table.name, opened.ignored, rows, bad, lines)
    if not count.quarantined:
        return Verdict(count, rows)
    bench.keep("quarantine", _quarantine(opened.rows, bad, lines))
    return Verdict(count, rows.anti_join(bad, "row_number"))


@dataclass(frozen=True)
class _Bench:
    """Where the steps of one table's judgement are put down as Parquet, so that no step is held in memory."""

    backend: Backend
    staging: Path
    name: str

    def keep(self, step: str, rows: ir.Table) -> ir.Table:
        """`rows`, computed and written to `<staging>/<step>/<table>.parquet`."""
        path = self.staging / step / f"{self.name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.backend.to_parquet(rows, path, compression="zstd")
        return self.backend.read_parquet(literal_path(path))


def _count(name: str, ignored: tuple[str, ...], rows: ir.Table, bad: ir.Table, lines: ir.Table) -> TableCount:
    read, rejected, unreadable = (int(each.count().to_pyarrow().as_py()) for each in (rows, bad, lines))
    rules: dict[str, int] = {}
    if rejected or unreadable:
        named = bad.select(rule=bad.broken_rules.unnest()).union(lines.select(rule=lines.broken_rules.unnest()))
        tally = named.group_by("rule").aggregate(broken_by=named.count()).order_by(ibis.desc("broken_by"), "rule")
        rules = {row["rule"]: int(row["broken_by"]) for row in tally.to_pyarrow().to_pylist()}
    return TableCount(name, read + unreadable, read - rejected, rejected + unreadable, rules, ignored)


def _broken(rules: Mapping[str, ir.BooleanValue]) -> ir.Value:
    named = [ibis.ifelse(broken, ibis.literal(rule), ibis.null("string")) for rule, broken in rules.items()]
    # The list is built only where something is broken: that is what keeps good rows cheap.
    return ibis.ifelse(
        ibis.or_(*rules.values()), ibis.array(named).filter(lambda rule: rule.notnull()), ibis.null("array<string>")
    )


def _bad_rows(rows: ir.Table, source: Source) -> ir.Table:
    later = later_duplicates(rows, source.table)
    later = later.select(later_number=later.row_number, duplicate=ibis.array([duplicate_rule(source.table)]))
    joined = rows.left_join(later, rows.row_number == later.later_number)
    nothing = ibis.literal([], type="array<string>")
    broken = joined.broken_rules.fill_null(nothing).concat(joined.duplicate.fill_null(nothing))
    bad = joined.filter(joined.broken_rules.notnull() | joined.duplicate.notnull())
    return bad.select("row_number", broken_rules=broken)


def _unreadable_lines(backend: Backend, source: Source) -> ir.Table:
    if source.path.suffix != ".csv":
        return ibis.memtable([], schema={"line_number": "int64", "line": "string", "broken_rules": "array<string>"})
    rejects = backend.table(source.rejects)
    rejects = rejects.filter(rejects.scan_id == rejects.scan_id.min())
    lines = rejects.group_by(line_number=rejects.line.cast("int64")).aggregate(
        line=rejects.csv_line.strip().max(), broken_rules=_line_rule(rejects.error_type).collect(distinct=True)
    )
    return lines.select("line_number", "line", "broken_rules")


def _line_rule(error_type: ir.StringValue) -> ir.StringValue:
    return ibis.literal("line is not CSV: ") + error_type.cast("string").lower()


def _quarantine(raw: ir.Table, bad: ir.Table, lines: ir.Table) -> ir.Table:
    texts = {name: raw[name].cast("string") for name in raw.columns if name != "row_number"}
    rows = raw.select("row_number", **texts).inner_join(bad, "row_number")
    rows = rows.select("row_number", "broken_rules", *texts, line_number=ibis.null("int64"), line=ibis.null("string"))
    absent = dict.fromkeys(texts, ibis.null("string"))
    lines = lines.select("broken_rules", "line_number", "line", row_number=ibis.null("int64"), **absent)
    return rows.union(lines.select(*rows.columns)).order_by("row_number", "line_number")
