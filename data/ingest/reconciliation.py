"""Reconciliation of one table: rows newly judged against those that the lake and the quarantine hold."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce

import ibis
import ibis.expr.types as ir

from data import rule_texts
from data.contract_schema import ForeignKey, Table
from data.ingest.deliveries import Extent
from data.ingest.record import RAW, conform_outstanding
from data.ingest.row_rules import duplicate_rule
from data.ingest.validation import TableCount, ValidatedTable, rejudge
from data.lake.contents import dates_of
from data.lake.tables import conform_columns, schema_of
from data.lake.writer import LakeWriter, TableChange

FROM_LAKE, FROM_QUARANTINE, NEW = 0, 1, 2
"""Of rows with one key that happened on one day, the one of the lowest number stays."""


@dataclass(frozen=True)
class DeliveredRows:
    """What was delivered of one table and judged: `days` are the ISO days that it replaces, if it was given by day."""

    extent: Extent
    validated: ValidatedTable
    days: frozenset[str] | None = None


@dataclass(frozen=True)
class HeldTable:
    """What one table is reconciled with: the lake in the making, its quarantine so far, and the last day allowed.

    `parents` holds the rows of the tables it refers to as the lake will keep them, `vanished` gives the values of a
    reference that its parent no longer has (None: all are there).
    """

    writer: LakeWriter
    outstanding: ir.Table | None
    parents: Mapping[str, ir.Table]
    vanished: Callable[[ForeignKey], ir.Table | None]
    today: date


@dataclass(frozen=True)
class Reconciled:
    """The change of a table (None: none), its quarantine afterwards (None: empty) and what became of its rows.

    `count` is of what was delivered. `replaced`, `deleted`, `orphaned` and `duplicated` rows left the lake,
    `readmitted` ones left the quarantine for it; `unknown_tombstones` are keys to be deleted that were nowhere.
    """

    change: TableChange | None
    outstanding: ir.Table | None
    count: TableCount | None = None
    replaced: int = 0
    deleted: int = 0
    orphaned: int = 0
    duplicated: int = 0
    readmitted: int = 0
    unknown_tombstones: int = 0


def reconcile(table: Table, delivered: DeliveredRows | None, holding: HeldTable) -> Reconciled:
    """What the lake and the quarantine hold of a table after a delivery (None: nothing new was delivered).

    Rows that are in quarantine because of their parents, their day or another row with their key are tried again. Of
    rows with one key in several deliveries the one of the earliest day stays, of one day the one that the lake holds.
    """
    return _Reconciliation(table, delivered, holding).run()


@dataclass(frozen=True)
class _Reconciliation:
    """The steps of `reconcile`. What a step gives is held in a table of the engine, None where it has no rows."""

    table: Table
    delivered: DeliveredRows | None
    holding: HeldTable

    def run(self) -> Reconciled:
        """All steps in order."""
        given, tombstones = self._keys_given()
        keys = _union(given, tombstones)
        resting, waiting = self._quarantine_before(keys)
        stored = self.holding.writer.kept(self.table.name, self._cleared)
        replaced = self._hold("replaced", self._semi(stored, keys))
        stored = self._anti(stored, replaced)
        orphaned = self._hold("orphaned", self._orphans(stored))
        stored = self._anti(stored, orphaned)
        losers = self._hold("losers", self._losers(stored, waiting))
        duplicated = self._hold("duplicated", self._semi(stored, _of(losers, FROM_LAKE)))
        readmitted = self._readmitted(waiting, losers)
        bad = [resting, *self._still_waiting(waiting, losers), *self._newly_bad(losers),
               self._expelled(orphaned, None), self._expelled(duplicated, duplicate_rule(self.table))]  # fmt: skip
        outstanding = _union(*(conform_outstanding(rows, self.table) for rows in bad if rows is not None))
        deleted = self._hold("deleted", self._semi(replaced, self._anti(tombstones, given)))
        unknown = self._anti(self._anti(self._anti(tombstones, given), replaced), self.holding.outstanding)
        return Reconciled(
            self._change(_union(self._accepted(losers), readmitted), _union(replaced, orphaned, duplicated)),
            self._hold("outstanding", outstanding), self._count(losers),
            replaced=self._replaced_days() + _rows(replaced) - _rows(deleted), deleted=_rows(deleted),
            orphaned=_rows(orphaned), duplicated=_rows(duplicated), readmitted=_rows(readmitted),
            unknown_tombstones=_rows(unknown),
        )  # fmt: skip

    @property
    def _cleared(self) -> frozenset[str] | None:
        """The days of the lake that leave whole, None where all of its rows leave."""
        if self.delivered is None or self.delivered.extent is Extent.KEYS:
            return frozenset()
        return self.delivered.days if self.delivered.extent is Extent.DAYS else None

    def _keys_given(self) -> Sequence[ir.Table | None]:
        """The keys of the rows that a delivery by key gives, readable ones, and of its tombstones."""
        if self.delivered is None or self.delivered.extent is not Extent.KEYS:
            return None, None
        validated, key = self.delivered.validated, self.table.key
        given = conform_columns(validated.rows, self.table).select(*key).drop_null().distinct()
        if validated.tombstones is None:
            return self._hold("given", given), None
        gone = conform_columns(validated.tombstones, self.table).select(*key).drop_null().distinct()
        return self._hold("given", given), self._hold("gone", gone)

    def _quarantine_before(self, keys: ir.Table | None) -> Sequence[ir.Table | None]:
        """The outstanding rows that no delivery replaces: those that stay as they are, and those judged anew."""
        rows = self.holding.outstanding
        if rows is None or self._cleared is None:
            return None, None
        if self._cleared:
            rows = rows.filter(~rows.happened_on.isin(dates_of(self._cleared)).fill_null(False))
        if self.delivered is not None and self.delivered.extent is Extent.KEYS:
            readable = ibis.and_(*(rows[name].notnull() for name in self.table.key))
            rows = rows.filter(readable | (rows.extent != Extent.KEYS))
            rows = rows if keys is None else rows.anti_join(keys, list(self.table.key))
        again = rows.broken_rules.filter(lambda rule: rule.notin(_passing_rules(self.table))).length() == 0
        order = [*(["happened_on"] if self.table.timed else []), "row_number"]
        waiting = self._hold("waiting", rows.filter(again).mutate(place=ibis.row_number().over(order_by=order)))
        resting = self._hold("resting", rows.filter(~again))
        if waiting is None:
            return resting, None
        typed = waiting.select("place", "broken_rules", *self.table.column_names)
        judged = rejudge(typed, self.table, self.holding.parents, self.holding.today)
        others = waiting.drop("broken_rules", *self.table.column_names)
        return resting, self._hold("judged", judged.inner_join(others, "place"))

    def _orphans(self, stored: ir.Table | None) -> ir.Table | None:
        """The stored rows that refer to what vanished."""
        if stored is None:
            return None
        gone = [(list(each.columns), self.holding.vanished(each)) for each in self.table.references]
        parts = [stored.semi_join(values, columns) for columns, values in gone if values is not None]
        return reduce(lambda one, other: one.union(other, distinct=True), parts) if parts else None

    def _losers(self, stored: ir.Table | None, waiting: ir.Table | None) -> ir.Table | None:
        """Key, kind and `row_number` of the rows that another row with their key precedes."""
        if stored is None:
            return None
        order = ["happened_on"] if self.table.timed else []
        columns = list(dict.fromkeys((*self.table.key, *order)))

        def ranked(rows: ir.Table, kind: int, number: ir.Value) -> ir.Table:
            return rows.select(*columns, kind=ibis.literal(kind, "int8"), number=number.cast("int64"))

        contenders = []
        if waiting is not None:
            rows = conform_columns(waiting.filter(waiting.broken_rules.isnull()), self.table, "place")
            contenders.append(ranked(rows, FROM_QUARANTINE, rows.place))
        if self.delivered is not None and self.delivered.extent is Extent.DAYS and "happened_on" not in self.table.key:
            rows = conform_columns(self.delivered.validated.accepted, self.table, "row_number")
            contenders.append(ranked(rows, NEW, rows.row_number))
        if not contenders:
            return None
        new = self._hold("contenders", _union(*contenders))
        if new is None:
            return None
        rivals = ranked(stored.semi_join(new, list(self.table.key)), FROM_LAKE, ibis.literal(0))
        rows = new.union(rivals)
        turn = ibis.row_number().over(group_by=list(self.table.key), order_by=[*order, "kind", "number"])
        return rows.mutate(turn=turn).filter(lambda each: each.turn > 0).drop("turn")

    def _accepted(self, losers: ir.Table | None) -> ir.Table | None:
        """The delivered rows that enter the lake, in the contract's columns."""
        if self.delivered is None:
            return None
        rows, late = self.delivered.validated.accepted, _of(losers, NEW)
        if late is not None:
            rows = rows.anti_join(late, rows.row_number == late.number)
        return conform_columns(rows, self.table)

    def _readmitted(self, waiting: ir.Table | None, losers: ir.Table | None) -> ir.Table | None:
        """The rows of the quarantine that enter the lake, in the contract's columns."""
        if waiting is None:
            return None
        rows, late = waiting.filter(waiting.broken_rules.isnull()), _of(losers, FROM_QUARANTINE)
        rows = rows if late is None else rows.anti_join(late, rows.place == late.number)
        return self._hold("readmitted", conform_columns(rows, self.table))

    def _still_waiting(self, waiting: ir.Table | None, losers: ir.Table | None) -> Iterator[ir.Table]:
        """The rows of the quarantine that were tried again in vain."""
        if waiting is None:
            return
        yield waiting.filter(waiting.broken_rules.notnull())
        late = _of(losers, FROM_QUARANTINE)
        if late is not None:
            rule = ibis.array([duplicate_rule(self.table)])
            yield waiting.semi_join(late, waiting.place == late.number).mutate(broken_rules=rule)

    def _newly_bad(self, losers: ir.Table | None) -> Iterator[ir.Table]:
        """The delivered rows that do not enter the lake."""
        if self.delivered is None:
            return
        validated, extent = self.delivered.validated, ibis.literal(str(self.delivered.extent))
        if validated.quarantine is not None:
            given = validated.quarantine.rename(
                {RAW + name: name for name in self.table.column_names if name in validated.quarantine.columns}
            )
            typed = conform_columns(validated.rows, self.table, "row_number")
            typed = typed.select("row_number", *self.table.column_names)
            yield given.left_join(typed, "row_number").drop("row_number_right").mutate(extent=extent)
        late = _of(losers, NEW)
        if late is not None:
            rows = validated.accepted.semi_join(late, validated.accepted.row_number == late.number)
            yield _as_given(rows, self.table, ibis.array([duplicate_rule(self.table)])).mutate(extent=extent)

    def _expelled(self, rows: ir.Table | None, rule: str | None) -> ir.Table | None:
        """Rows that leave the lake for the quarantine: because of this rule, or of those that they break now (None)."""
        if rows is None or rule is not None:
            return None if rows is None else _as_given(rows, self.table, ibis.array([rule]))
        typed = rows.select(*self.table.column_names, broken_rules=ibis.null("array<string>"))
        judged = rejudge(typed, self.table, self.holding.parents, self.holding.today)
        return _as_given(judged, self.table, judged.broken_rules)

    def _change(self, added: ir.Table | None, removed: ir.Table | None) -> TableChange | None:
        if self.delivered is None and added is None and removed is None:
            return None
        empty = ibis.memtable(schema_of(self.table).to_pyarrow().empty_table())
        removed = None if removed is None else self._hold("removed", removed)
        return TableChange(self.table, empty if added is None else added, self._cleared, removed)

    def _count(self, losers: ir.Table | None) -> TableCount | None:
        if self.delivered is None:
            return None
        count, late, rule = self.delivered.validated.count, _rows(_of(losers, NEW)), duplicate_rule(self.table)
        if not late:
            return count
        rules = {**count.rules, rule: count.rules.get(rule, 0) + late}
        return replace(count, accepted=count.accepted - late, quarantined=count.quarantined + late, rules=rules)

    def _replaced_days(self) -> int:
        """The rows of the lake that leave with their whole day or table."""
        held = self.holding.writer.held(self.table.name)
        if self.delivered is None or held is None:
            return 0
        cleared = self._cleared
        return held.total.rows if cleared is None else sum(held.days[day].rows for day in cleared if day in held.days)

    def _semi(self, rows: ir.Table | None, others: ir.Table | None) -> ir.Table | None:
        return None if rows is None or others is None else rows.semi_join(others, list(self.table.key))

    def _anti(self, rows: ir.Table | None, others: ir.Table | None) -> ir.Table | None:
        return rows if rows is None or others is None else rows.anti_join(others, list(self.table.key))

    def _hold(self, step: str, rows: ir.Table | None) -> ir.Table | None:
        """The rows, held in the engine; None where there are none."""
        if rows is None:
            return None
        held = self.holding.writer.backend.create_table(f"{step}_{self.table.name}", rows, temp=True)
        return held if _rows(held) else None


def _passing_rules(table: Table) -> list[str]:
    """The rules that a row can break today and keep tomorrow, though nobody changed it."""
    unknown = [rule_texts.unknown(reference.columns) for reference in table.references]
    days = [rule_texts.in_future(column.name) for column in table.columns if column.kind == "day"]
    return [*unknown, *days, duplicate_rule(table)]


def _as_given(rows: ir.Table, table: Table, broken_rules: ir.Value) -> ir.Table:
    """Outstanding rows of values that are known in the contract's types only."""
    texts = {RAW + name: rows[name].cast("string") for name in table.column_names if name in rows.columns}
    return rows.mutate(**texts, broken_rules=broken_rules)


def _of(losers: ir.Table | None, kind: int) -> ir.Table | None:
    return None if losers is None else losers.filter(losers.kind == kind)


def _union(*parts: ir.Table | None) -> ir.Table | None:
    tables = [each for each in parts if each is not None]
    return reduce(lambda one, other: one.union(other), tables) if tables else None


def _rows(rows: ir.Table | None) -> int:
    return 0 if rows is None else int(rows.count().to_pyarrow().as_py())
