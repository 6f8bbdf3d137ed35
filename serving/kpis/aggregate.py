"""Aggregates the dossiers of a catalogue to the totals of its KPIs: streamed file by file, in bounded memory."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from serving.dossiers.reader import (
    AMOUNT,
    CELL,
    COUNTS,
    ENTITY_ROW,
    MANIFEST,
    MONTHS,
    MONTHS_COUNT,
    OF_SUPPLIER,
    months_before,
    scan_table,
)
from serving.dossiers.records import SUPPLIER_PROVIDED
from serving.kpis.kpis import KpiTotals, LabTotals, MonthTotals, SelectionOutcome
from serving.kpis.relisting import count_relistings

_RECENT_MONTHS = 3
_YEAR_DAYS = 365
UNKNOWN_STRATEGY = "not said"
Months = dict[date, Counter[str]]


def compute_totals(dossiers: Path) -> KpiTotals:
    """The totals of the whole catalogue. Raises UserError where the dossiers are absent or half-written."""
    content = MANIFEST.read(dossiers)
    months: Months = {month: Counter() for month in months_before(content.as_of)}
    failed, tests = _tests(dossiers)
    exposed, recent = _sales(dossiers, months, failed)
    _events(dossiers, months, ("incidents",), "incident_id", "incidents")
    _events(dossiers, months, ("holds", "holds" + OF_SUPPLIER), "hold_id", "holds")
    due, in_time = _actions(dossiers, content.as_of)
    return KpiTotals(
        as_of=content.as_of, fingerprint=content.fingerprint, skus=content.skus,
        months=tuple(_month(month, counted, content.hazards_read) for month, counted in months.items()),
        tests=tests, exposed_units=exposed, recent_units=recent, certificates=_certificates(dossiers),
        actions_due=due, actions_in_time=in_time, chosen=_selection_outcomes(dossiers, content.as_of),
        relisted=count_relistings(dossiers, _first_holds(dossiers), content.as_of),
    )  # fmt: skip


def _month(month: date, counted: Counter[str], hazards_read: bool) -> MonthTotals:
    totals: dict[str, Any] = {name: counted[name] for name in (*COUNTS, "incidents", "holds")}
    return MonthTotals(month=month, **totals | ({} if hazards_read else {"hazard_mentions": None}))


def _tests(dossiers: Path) -> tuple[pa.Array, LabTotals]:
    """The entity rows of SKUs with a failed independent test, and the totals of tests."""
    failed_rows, counted, cost_eur = [], Counter[str](), 0.0
    for rows in scan_table(dossiers, "tests"):
        given = pc.equal(rows["origin"], SUPPLIER_PROVIDED)
        own, fails = rows.filter(pc.invert(given)), rows.filter(pc.equal(rows["result"], "fail"))
        failed = fails.filter(pc.not_equal(fails["origin"], SUPPLIER_PROVIDED))
        failed_rows.append(failed[ENTITY_ROW])
        counted["independent"] += own.num_rows
        counted["failed"] += failed.num_rows
        counted["critical"] += pc.sum(pc.equal(failed["severity"], "critical")).as_py() or 0
        counted["given"] += rows.num_rows - own.num_rows
        counted["given_failed"] += fails.num_rows - failed.num_rows
        cost_eur += pc.sum(own["cost_eur"]).as_py() or 0.0
    names = ("independent", "failed", "critical", "given", "given_failed")
    distinct = pa.chunked_array(failed_rows, pa.int32()).unique() if failed_rows else pa.array([], pa.int32())
    return distinct, LabTotals(cost_eur=cost_eur, **{name: counted[name] for name in names})


def _selection_outcomes(dossiers: Path, as_of: date) -> tuple[SelectionOutcome, ...]:
    """Outcomes by strategy of the independent tests with pass or fail that became known in the last year."""
    counted, cost_eur = Counter[tuple[str, str]](), defaultdict[str, float](float)
    for rows in scan_table(dossiers, "tests"):
        known = rows.filter(pc.and_(
            pc.not_equal(rows["origin"], SUPPLIER_PROVIDED),
            pc.and_(pc.is_in(rows["result"], pa.array(["pass", "fail"])),
                    pc.greater_equal(rows["known_on"], pa.scalar(as_of - timedelta(days=_YEAR_DAYS)))),
        ))  # fmt: skip
        columns = (known[name].to_pylist() for name in ("strategy", "result", "cost_eur"))
        for strategy, result, cost in zip(*columns, strict=True):
            counted[strategy or UNKNOWN_STRATEGY, result] += 1
            cost_eur[strategy or UNKNOWN_STRATEGY] += cost or 0.0
    names = sorted({name for name, _ in counted})
    return tuple(
        SelectionOutcome(name, counted[name, "pass"] + counted[name, "fail"], counted[name, "fail"], cost_eur[name])
        for name in names
    )


def _sales(dossiers: Path, months: Months, failed: pa.Array) -> tuple[int, int]:
    """Add the monthly sums to `months`, the oldest first; the recent units of failed SKUs, and of all."""
    exposed = sold = 0
    recent = pa.array([cell * len(COUNTS) for cell in range(MONTHS_COUNT - _RECENT_MONTHS, MONTHS_COUNT)], pa.uint8())
    by_number = list(months.values())
    for rows in scan_table(dossiers, MONTHS):
        table = pa.Table.from_batches([rows])
        for row in table.group_by(CELL).aggregate([(AMOUNT, "sum")]).to_pylist():
            month, count = divmod(row[CELL], len(COUNTS))
            by_number[month][COUNTS[count]] += row[f"{AMOUNT}_sum"]
        units = table.filter(pc.is_in(table[CELL], recent))
        sold += pc.sum(units[AMOUNT]).as_py() or 0
        exposed += pc.sum(units.filter(pc.is_in(units[ENTITY_ROW], failed))[AMOUNT]).as_py() or 0
    return exposed, sold


def _events(dossiers: Path, months: Months, tables: tuple[str, ...], key: str, name: str) -> None:
    """Count events by the month in which they happened, each once however many SKUs it touches."""
    seen: set[str] = set()
    for table in tables:
        for rows in scan_table(dossiers, table):
            for event, day in zip(rows[key].to_pylist(), rows["happened_on"].to_pylist(), strict=True):
                month = day.replace(day=1)
                if event not in seen and month in months:
                    months[month][name] += 1
                seen.add(event)


def _certificates(dossiers: Path) -> dict[str, int]:
    """Number of certificates by standing status: of each, the first row of its entity, newest first."""
    rows = [batch.select(["certificate_id", "status"]) for table in ("certificates", "certificates" + OF_SUPPLIER)
            for batch in scan_table(dossiers, table)]  # fmt: skip
    if not rows:
        return {}
    frame = pl.from_arrow(pa.Table.from_batches(rows))
    assert isinstance(frame, pl.DataFrame)
    standing = frame.unique("certificate_id", keep="first", maintain_order=True)["status"].value_counts().sort("status")
    return dict(standing.iter_rows())


def _actions(dossiers: Path, as_of: date) -> tuple[int, int]:
    """Corrective actions whose day has come, and those of them that were verified by it."""
    due = in_time = 0
    for rows in scan_table(dossiers, "remediations" + OF_SUPPLIER):
        for last, done in zip(rows["due_on"].to_pylist(), rows["verified_on"].to_pylist(), strict=True):
            if last is not None and last < as_of:
                due += 1
                in_time += done is not None and done <= last
    return due, in_time


def _first_holds(dossiers: Path) -> dict[int, date]:
    """The day on which the first hold of a SKU became known, by entity row."""
    first: dict[int, date] = {}
    for rows in scan_table(dossiers, "holds"):
        for row, day in zip(rows[ENTITY_ROW].to_pylist(), rows["known_on"].to_pylist(), strict=True):
            first[row] = min(day, first.get(row, day))
    return first
