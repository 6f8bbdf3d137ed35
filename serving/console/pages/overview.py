"""The overview page: KPIs of catalogue, tests, model, drift and decisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray

from data.database.connection import read_transaction
from data.database.schema import DECISIONS
from data.errors import UserError
from data.lake.lab_results import ingested_files, result_hand_ins
from data.lake.report_versions import with_result
from data.workspace import Workspace
from sampling.laboratories import LaboratoryComparison, compare_laboratories, laboratory_policy_in_force
from sampling.plan_files import round_ids
from sampling.round_answers import round_answers
from sampling.rounds import round_record
from serving.certificates.store import checks_of
from serving.console.blinding import find_positions
from serving.console.case import current_policy, decisions_of
from serving.console.context import AppContext
from serving.console.pages.published_reports import latest_monitoring, latest_prevalence
from serving.console.session import ContextDep
from serving.console.templating import page
from serving.decisions.appeals import appeals
from serving.decisions.legal_grounds import ground_policy_in_force
from serving.decisions.records import DECLINED, IN_FORCE, PROPOSED, Decision, SkuKey
from serving.dossiers.reader import ENTITY_ROW
from serving.kpis.issuer_answers import issuer_outcomes
from serving.kpis.kpis import MIN_CASES, MIN_COUNT, KpiTotals, RelistingCounts, rate, read_totals
from serving.kpis.outcomes import TakeDown, forecasts_of_rounds, forecasts_of_training, take_down_times
from serving.kpis.relisting import count_relistings
from serving.online.store import OnlineStore

FEWEST_RESULTS = 10
REMOVING = ("remove", "suspend", "recall")
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class RoundOutcome:
    """Failures per 1,000 EUR of a round: expected, at random, found (None while too few results are in)."""

    round_id: str
    expected: float
    at_random: float
    failures: float | None
    results: int
    tests: int


@dataclass(frozen=True)
class DecisionCounts:
    """Counts of decisions and appeals; shares are None where there are too few."""

    in_force: int
    waiting: int
    gentler: int
    harder: int
    appeals: int
    answered: int
    overturned: float | None
    agreement: float | None


@dataclass(frozen=True)
class RemovalCounts:
    """The restrictions of the last year: their number, time to take-down, relistings."""

    count: int
    take_down: TakeDown
    relisted: tuple[RelistingCounts, ...]


def round_outcomes(workspace: Workspace, round_id: str) -> RoundOutcome:
    """Count failures per 1,000 EUR of the tests with results; expectations are those of the whole plan."""
    record, results = round_record(workspace, round_id), with_result(round_answers(workspace))
    of_round = results.filter(pc.equal(results["round_id"], round_id))
    per_1000 = 1000 / record["cost_eur"] if record["cost_eur"] else 0.0
    failed = pc.sum(pc.equal(of_round["result"], "fail")).as_py() or 0
    share_in = len(of_round) / record["tests"] if record["tests"] else 0.0
    failures = failed * per_1000 / share_in if len(of_round) >= FEWEST_RESULTS else None
    return RoundOutcome(
        round_id, record["expected_failures"] * per_1000, record["expected_failures_at_random"] * per_1000, failures,
        len(of_round), record["tests"],
    )  # fmt: skip


def count_decisions(context: AppContext) -> DecisionCounts:
    """Count decisions and appeals."""
    counts, filed = decisions_of(context).count_by_state(), appeals(context.engine)
    answered = [each for each in filed if each.outcome is not None]
    as_asked, gentler, harder = (counts.get((IN_FORCE, name), 0) for name in ("as_asked", "gentler", "harder"))
    in_force = as_asked + gentler + harder
    waiting = sum(count for (state, _), count in counts.items() if state == PROPOSED)
    return DecisionCounts(
        in_force, waiting, gentler, harder, len(filed), len(answered),
        rate(sum(each.outcome == "reversed" for each in answered), len(answered), MIN_CASES),
        rate(as_asked, in_force, MIN_CASES),
    )  # fmt: skip


def count_removals(context: AppContext, store: OnlineStore) -> RemovalCounts:
    """Count the restrictions that came into force in the last year."""
    since = context.now().date() - YEAR
    removals = decisions_of(context).in_force_since(REMOVING, since)
    first = _first_removals(store, removals)
    relisted = _count_relistings(store.dossiers.folder, first, store.publication.as_of) if first else ()
    return RemovalCounts(len(removals), take_down_times(removals, current_policy(context).deadlines), relisted)


def _first_removals(store: OnlineStore, removals: list[Decision]) -> tuple[tuple[int, date], ...]:
    """The positions of the removed SKUs of the catalogue in order, each with the day of its first removal."""
    positions = find_positions(store, [each.key for each in removals]).tolist()
    days = [date.fromisoformat(each.since[:10]) for each in removals]
    newest_first = sorted((pair for pair in zip(positions, days, strict=True) if pair[0] >= 0), reverse=True)
    return tuple(sorted(dict(newest_first).items()))


@lru_cache(maxsize=4)
def _count_relistings(
    dossiers: Path, removals: tuple[tuple[int, date], ...], as_of: date
) -> tuple[RelistingCounts, ...]:
    """Cached, since it reads every title of the catalogue; dossiers never change."""
    return count_relistings(dossiers, dict(removals), as_of)


def known_laboratories(workspace: Workspace, today: date) -> tuple[LaboratoryComparison, ...]:
    """The laboratories compared by what is known on a day, anew only where tests, results or rounds are."""
    content = [str(each) for each in ingested_files(workspace)] + round_ids(workspace)
    return _compare_laboratories(workspace, today, (result_hand_ins(workspace).digest(), *content))


@lru_cache(maxsize=2)
def _compare_laboratories(workspace: Workspace, today: date, _: tuple[str, ...]) -> tuple[LaboratoryComparison, ...]:
    return tuple(compare_laboratories(workspace, today, laboratory_policy_in_force(today)))


@dataclass(frozen=True)
class ExpiredNotices:
    """Notices of danger that expired in the year before the scores, `notice_days` after they became known.

    On `undecided` of them there was no decision within these days.
    """

    ended: int
    undecided: int
    notice_days: int


def expired_notices(context: AppContext, store: OnlineStore) -> ExpiredNotices:
    """Count the expired notices of the catalogue; a decision, unless declined, answers those known by its day."""
    as_of = store.publication.as_of
    days = ground_policy_in_force(as_of).notice_days
    rows = store.dossiers.rows("incidents", (ENTITY_ROW, "known_on"))
    if rows is None:
        return ExpiredNotices(0, 0, days)
    positions, known = rows[ENTITY_ROW].to_numpy(), rows["known_on"].to_numpy().astype("datetime64[D]")
    last = np.datetime64(as_of - timedelta(days=days))
    ended = (known < last) & (known >= last - YEAR.days)
    positions, known = positions[ended], known[ended]
    answered = np.zeros(len(positions), dtype=np.bool_)
    for position, day in _decision_days(context, store, positions):
        here = slice(*np.searchsorted(positions, [position, position + 1]))
        answered[here] |= (known[here] <= np.datetime64(day)) & (np.datetime64(day) <= known[here] + days)
    return ExpiredNotices(len(positions), int((~answered).sum()), days)


def _decision_days(context: AppContext, store: OnlineStore, among: NDArray[np.int32]) -> list[tuple[int, date]]:
    """Position and day of every decision on a SKU at one of the positions `among`, declined ones apart."""
    table = DECISIONS.c
    query = sa.select(table.sku_id, table.market, table.proposed_at).where(table.state != DECLINED)
    with read_transaction(context.engine) as connection:
        rows = connection.execute(query).all()
    positions = find_positions(store, [SkuKey(*row[:2]) for row in rows])
    days = zip(positions.tolist(), (date.fromisoformat(row[2][:10]) for row in rows), strict=True)
    return [each for each, is_among in zip(days, np.isin(positions, among).tolist(), strict=True) if is_among]


router = APIRouter()

ROUNDS, DRIFTS = 12, 8


@router.get("/overview")
def overview(request: Request, context: ContextDep) -> Response:
    """All figures on one page."""
    workspace, store = context.settings.workspace, context.store
    totals, uncounted = _totals(workspace, context)
    today = context.now().date()
    return page(
        request,
        "overview.html",
        totals=totals,
        uncounted=uncounted,
        prevalence=latest_prevalence(workspace),
        rounds=[round_outcomes(workspace, name) for name in round_ids(workspace)[-ROUNDS:]],
        metrics=store.metrics,
        monitoring=latest_monitoring(workspace),
        decisions=count_decisions(context),
        most_drifts=DRIFTS,
        removals=count_removals(context, store),
        expired=expired_notices(context, store),
        holdout_forecasts=forecasts_of_training(store.metrics),
        round_forecasts=forecasts_of_rounds(workspace),
        fewest=MIN_COUNT,
        last_round=_last_round(workspace),
        laboratories=known_laboratories(workspace, today),
        issuers=issuer_outcomes(checks_of(context.engine).values()),
    )


def _last_round(workspace: Workspace) -> Mapping[str, Any] | None:
    """The content of `round.json` of the newest round, None where none was drawn."""
    names = round_ids(workspace)
    return round_record(workspace, names[-1]) if names else None


def _totals(workspace: Workspace, context: AppContext) -> tuple[KpiTotals | None, str]:
    try:
        return read_totals(workspace, context.store.publication.as_of), ""
    except UserError as refusal:
        return None, str(refusal)
