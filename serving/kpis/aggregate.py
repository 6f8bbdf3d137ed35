"""How the counts of a catalogue are taken from its dossiers: streamed file by file, in bounded memory."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from serving.dossiers.reader import MANIFEST, MONTHS, OF_SUPPLIER, OWNER, months_before, sheet_rows
from serving.dossiers.records import SUPPLIER_PROVIDED
from serving.kpis.kpis import KpiTotals, LabTotals, MonthTotals, SelectionOutcome
from serving.kpis.relisting import count_relistings

_MONTHLY = ("units", "returned_units", "safety_returned_units", "reviews", "hazard_mentions")
_RECENT_MONTHS = 3
_YEAR_DAYS = 365
UNNAMED = "not said"
Months = dict[date, Counter[str]]


def totals_of(dossiers: Path) -> KpiTotals:
    """Count the whole catalogue. Raises UserError where the dossiers are absent or half-written."""
    statement = MANIFEST.read(dossiers)
    kept = months_before(statement.as_of)
    months: Months = {month: Counter() for month in kept}
    failed, tests = _tests(dossiers)
    exposed, recent = _sales(dossiers, months, failed, set(kept[-_RECENT_MONTHS:]))
    _events(dossiers, months, ("incidents",), "incident_id", "incidents")
    _events(dossiers, months, ("holds", "holds" + OF_SUPPLIER), "hold_id", "holds")
    due, in_time = _actions(dossiers, statement.as_of)
    return KpiTotals(
        as_of=statement.as_of, fingerprint=statement.fingerprint, skus=statement.skus,
        months=tuple(_month(month, counted, statement.hazards_read) for month, counted in months.items()),
        tests=tests, exposed_units=exposed, recent_units=recent, certificates=_certificates(dossiers),
        actions_due=due, actions_in_time=in_time, chosen=_chosen(dossiers, statement.as_of),
        relisted=count_relistings(dossiers, _held(dossiers), statement.as_of),
    )  # fmt: skip


def _month(month: date, counted: Counter[str], hazards_read: bool) -> MonthTotals:
    told: dict[str, Any] = {name: counted[name] for name in (*_MONTHLY, "incidents", "holds")}
    return MonthTotals(month=month, **told | ({} if hazards_read else {"hazard_mentions": None}))


def _tests(dossiers: Path) -> tuple[pa.Array, LabTotals]:
    """The owners with a failed independent test, and what was tested."""
    owners, counted, cost_eur = [], Counter[str](), 0.0
    for rows in sheet_rows(dossiers, "tests"):
        given = pc.equal(rows["origin"], SUPPLIER_PROVIDED)
        own, fails = rows.filter(pc.invert(given)), rows.filter(pc.equal(rows["result"], "fail"))
        failed = fails.filter(pc.not_equal(fails["origin"], SUPPLIER_PROVIDED))
        owners.append(failed[OWNER])
        counted["independent"] += own.num_rows
        counted["failed"] += failed.num_rows
        counted["critical"] += pc.sum(pc.equal(failed["severity"], "critical")).as_py() or 0
        counted["given"] += rows.num_rows - own.num_rows
        counted["given_failed"] += fails.num_rows - failed.num_rows
        cost_eur += pc.sum(own["cost_eur"]).as_py() or 0.0
    names = ("independent", "failed", "critical", "given", "given_failed")
    found = pa.chunked_array(owners, pa.int32()).unique() if owners else pa.array([], pa.int32())
    return found, LabTotals(cost_eur=cost_eur, **{name: counted[name] for name in names})


def _chosen(dossiers: Path, as_of: date) -> tuple[SelectionOutcome, ...]:
    """The independent tests that became known in the last year and have a verdict, by how their SKU was chosen."""
    counted, cost_eur = Counter[tuple[str, str]](), defaultdict[str, float](float)
    for rows in sheet_rows(dossiers, "tests"):
        known = rows.filter(pc.and_(
            pc.not_equal(rows["origin"], SUPPLIER_PROVIDED),
            pc.and_(pc.is_in(rows["result"], pa.array(["pass", "fail"])),
                    pc.greater_equal(rows["known_on"], pa.scalar(as_of - timedelta(days=_YEAR_DAYS)))),
        ))  # fmt: skip
        columns = (known[name].to_pylist() for name in ("strategy", "result", "cost_eur"))
        for strategy, result, cost in zip(*columns, strict=True):
            counted[strategy or UNNAMED, result] += 1
            cost_eur[strategy or UNNAMED] += cost or 0.0
    names = sorted({name for name, _ in counted})
    return tuple(
        SelectionOutcome(name, counted[name, "pass"] + counted[name, "fail"], counted[name, "fail"], cost_eur[name])
        for name in names
    )


def _sales(dossiers: Path, months: Months, failed: pa.Array, recent: set[date]) -> tuple[int, int]:
    """Add the monthly sums to `months`; the recent units of failed owners, and of all."""
    exposed = sold = 0
    for rows in sheet_rows(dossiers, MONTHS):
        table = pa.Table.from_batches([rows])
        summed = table.group_by("month").aggregate([(name, "sum") for name in _MONTHLY])
        for row in summed.to_pylist():
            month = _day(row["month"])
            if month in months:
                months[month].update({name: row[f"{name}_sum"] or 0 for name in _MONTHLY})
        newest = pc.is_in(pc.cast(table["month"], pa.date32()), pa.array(sorted(recent), pa.date32()))
        new = table.filter(newest)
        sold += pc.sum(new["units"]).as_py() or 0
        exposed += pc.sum(new.filter(pc.is_in(new[OWNER], failed))["units"]).as_py() or 0
    return exposed, sold


def _events(dossiers: Path, months: Months, sheets: tuple[str, ...], key: str, name: str) -> None:
    """Count events by the month in which they happened, each once however many SKUs it touches."""
    seen: set[str] = set()
    for sheet in sheets:
        for rows in sheet_rows(dossiers, sheet):
            for event, day in zip(rows[key].to_pylist(), rows["happened_on"].to_pylist(), strict=True):
                month = day.replace(day=1)
                if event not in seen and month in months:
                    months[month][name] += 1
                seen.add(event)


def _certificates(dossiers: Path) -> dict[str, int]:
    """The certificates by standing status: of each, the row that comes first among its owner's, newest first."""
    standing: dict[str, str] = {}
    for sheet in ("certificates", "certificates" + OF_SUPPLIER):
        for rows in sheet_rows(dossiers, sheet):
            for name, status in zip(rows["certificate_id"].to_pylist(), rows["status"].to_pylist(), strict=True):
                standing.setdefault(name, status)
    return dict(sorted(Counter(standing.values()).items()))


def _actions(dossiers: Path, as_of: date) -> tuple[int, int]:
    """Corrective actions whose day has come, and those of them that were verified by it."""
    due = in_time = 0
    for rows in sheet_rows(dossiers, "remediations" + OF_SUPPLIER):
        for last, done in zip(rows["due_on"].to_pylist(), rows["verified_on"].to_pylist(), strict=True):
            if last is not None and last < as_of:
                due += 1
                in_time += done is not None and done <= last
    return due, in_time


def _held(dossiers: Path) -> dict[int, date]:
    """The SKUs that an authority held, by place, with the day on which the first hold became known."""
    first: dict[int, date] = {}
    for rows in sheet_rows(dossiers, "holds"):
        for owner, day in zip(rows[OWNER].to_pylist(), rows["known_on"].to_pylist(), strict=True):
            first[owner] = min(day, first.get(owner, day))
    return first


def _day(value: Any) -> date:
    return date(value.year, value.month, value.day)
