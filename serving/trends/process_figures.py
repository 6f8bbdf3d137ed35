"""Figures on how failures were dealt with in a quarter: days to removal, appeals, documents, corrective actions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from data.contract import BY_NAME
from data.database.connection import read_transaction
from data.database.schema import DECISIONS
from data.lake.handed_in_rows import handed_in_rows
from data.lake.location import current_table
from data.workspace import Workspace
from sampling.estimation.disclosure import round_to
from sampling.estimation.publication_policy import PublicationPolicy
from serving.decisions.appeals import appeals
from serving.decisions.legal_grounds import FAILED_TEST
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import DECLINED, PROPOSED, Appeal, Decision
from serving.kpis.outcomes import take_down_times
from serving.trends.edition import Quarter, TrendFigure
from serving.trends.figure_words import APPEALS_ANSWERED, CONFIRMED, DAYS_TO_REMOVAL, IN_TIME, OVERTURNED, REMOVALS


@dataclass(frozen=True)
class QuarterRecords:
    """What was recorded of a quarter: restrictions that took effect in it, appeals answered in it, rows of the lake.

    `certificates` are the newest rows of each known by its last day, `actions` the corrective actions due in it.
    """

    quarter: Quarter
    restrictions: Sequence[Decision]
    answered: Sequence[Appeal]
    certificates: pa.Table
    actions: pa.Table


def quarter_records(engine: sa.Engine, workspace: Workspace, quarter: Quarter) -> QuarterRecords:
    """The records of a quarter."""
    return QuarterRecords(
        quarter,
        restrictions_of(engine, quarter),
        [each for each in appeals(engine) if quarter.holds(each.reviewed_at)],
        standing_certificates(workspace, quarter.last),
        due_actions(workspace, quarter),
    )


def restrictions_of(engine: sa.Engine, quarter: Quarter) -> list[Decision]:
    """The restrictions that took effect in a quarter, in their order, also those that were reversed since."""
    policy, day = decision_policy_in_force(quarter.last), DECISIONS.c.settled_at
    within = sa.and_(day >= quarter.first.isoformat(), sa.func.substr(day, 1, 10) <= quarter.last.isoformat())
    query = sa.select(DECISIONS).where(within, DECISIONS.c.state.not_in([PROPOSED, DECLINED]))
    with read_transaction(engine) as connection:
        rows = connection.execute(query.order_by(day, DECISIONS.c.decision_id)).all()
    decisions = [Decision(**row._mapping) for row in rows]
    return [each for each in decisions if policy.restricts(each.disposition)]


def standing_certificates(workspace: Workspace, day: date) -> pa.Table:
    """The newest row of every certificate that is known by a day: certificate_id, status."""
    columns = ["certificate_id", "happened_on", "known_on", "status"]
    rows = _read(workspace, "certificates", columns)
    known = rows.filter(pc.less_equal(rows["known_on"], pa.scalar(day, pa.date32())))
    newest = known.sort_by([("happened_on", "ascending"), ("known_on", "ascending")])
    return newest.group_by("certificate_id", use_threads=False).aggregate([("status", "last")]).rename_columns(
        ["certificate_id", "status"]
    )  # fmt: skip


def due_actions(workspace: Workspace, quarter: Quarter) -> pa.Table:
    """The corrective actions that were due in a quarter: remediation_id, due_on, verified_on."""
    rows = _read(workspace, "remediations", ["remediation_id", "due_on", "verified_on"])
    first, last = (pa.scalar(day, pa.date32()) for day in (quarter.first, quarter.last))
    due = pc.and_(pc.greater_equal(rows["due_on"], first), pc.less_equal(rows["due_on"], last))
    return rows.filter(pc.fill_null(due, False)).sort_by("remediation_id")


def _read(workspace: Workspace, table: str, columns: list[str]) -> pa.Table:
    """Ingested rows and rows handed in since, of which the handed-in one stands where a key is in both."""
    types = {"happened_on": pa.date32(), "known_on": pa.date32(), "due_on": pa.date32(), "verified_on": pa.date32()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in columns])
    path, keys = current_table(workspace, table), list(BY_NAME[table].key)
    handed_in = handed_in_rows(workspace, BY_NAME[table])
    if path is None:
        return handed_in.select(columns).cast(schema)
    ingested = pq.read_table(path, columns=list(dict.fromkeys([*columns, *keys])))
    if len(handed_in):
        ingested = ingested.join(handed_in.select(keys), keys, join_type="left anti")
    return pa.concat_tables([ingested.select(columns).cast(schema), handed_in.select(columns).cast(schema)])


def process_figures(records: QuarterRecords, policy: PublicationPolicy) -> list[TrendFigure]:
    """The figures of a quarter: counts rounded, shares in whole percent, nothing where there are too few cases."""
    failed = [each for each in records.restrictions if each.fact_kind == FAILED_TEST]
    deadlines = decision_policy_in_force(records.quarter.last).deadlines
    days = take_down_times(failed, deadlines).working_days
    overturned = [each for each in records.answered if each.outcome in ("modified", "reversed")]
    status = records.certificates["status"].to_pylist()
    in_time = [
        done is not None and done <= due
        for due, done in zip(
            records.actions["due_on"].to_pylist(), records.actions["verified_on"].to_pylist(), strict=True
        )
    ]
    return [
        TrendFigure(REMOVALS, _count(len(failed), policy), "decisions"),
        TrendFigure(DAYS_TO_REMOVAL, round(median(days)) if len(days) >= policy.least.cases else None, "working days"),
        TrendFigure(APPEALS_ANSWERED, _count(len(records.answered), policy), "appeals"),
        TrendFigure(OVERTURNED, _percent(len(overturned), len(records.answered), policy), "percent"),
        TrendFigure(CONFIRMED, _percent(status.count("confirmed"), len(status), policy), "percent"),
        TrendFigure(IN_TIME, _percent(sum(in_time), len(in_time), policy), "percent"),
    ]


def _count(number: int, policy: PublicationPolicy) -> float | None:
    """A count as published; 0 is told, a few are not."""
    return None if 0 < number < policy.least.cases else round_to(number, policy.rounding.counts_to)


def _percent(part: int, whole: int, policy: PublicationPolicy) -> float | None:
    return None if whole < policy.least.cases else round_to(100 * part / whole, policy.rounding.percent_to)
