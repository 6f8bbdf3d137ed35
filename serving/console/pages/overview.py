"""The overview for leads and data scientists: how the catalogue, the tests, the model and the decisions stand."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request, Response
from numpy.typing import NDArray

from data.database.connection import read_transaction
from data.database.schema import DECISIONS
from data.errors import UserError
from data.lake.lab_results import accepted_results
from data.workspace import Workspace
from sampling.rounds import round_ids, round_record
from serving.console.case import decisions_of, policy_today
from serving.console.context import AppContext
from serving.console.session import AnyHouse, signed_in
from serving.console.templating import page
from serving.decisions.appeals import appeals
from serving.decisions.legal_grounds import fact_policy_in_force
from serving.decisions.records import DECLINED, IN_FORCE, PROPOSED, Decision
from serving.dossiers.reader import ENTITY_ROW
from serving.kpis.kpis import MIN_CASES, MIN_COUNT, KpiTotals, rate, read_totals
from serving.kpis.outcomes import TakeDown, forecasts_of_rounds, forecasts_of_training, take_down_times
from serving.kpis.relisting import RelistingCounts, count_relistings
from serving.online.store import OnlineStore

FEWEST_RESULTS = 10
REMOVING = ("remove", "suspend", "recall")
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class RoundOutcome:
    """What a round found per 1,000 EUR; `failures` None while too few results are in to say."""

    round_id: str
    expected: float
    at_random: float
    failures: float | None
    results: int
    tests: int


@dataclass(frozen=True)
class DecisionCounts:
    """How decisions stand; shares are None where too few carry them."""

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
    """The restrictions of the last year that rest on a fact: how long they took, and whether their offers came back."""

    count: int
    take_down: TakeDown
    relisted: tuple[RelistingCounts, ...]


def round_outcomes(workspace: Workspace, round_id: str) -> RoundOutcome:
    """Per 1,000 EUR of the tests whose results are in; expectations are those of the whole plan."""
    record, results = round_record(workspace, round_id), accepted_results(workspace)
    mine = results.filter(pc.equal(results["round_id"], round_id))
    per_1000 = 1000 / record["cost_eur"] if record["cost_eur"] else 0.0
    failed = pc.sum(pc.equal(mine["result"], "fail")).as_py() or 0
    share_in = len(mine) / record["tests"] if record["tests"] else 0.0
    told = failed * per_1000 / share_in if len(mine) >= FEWEST_RESULTS else None
    return RoundOutcome(
        round_id, record["expected_failures"] * per_1000, record["expected_failures_at_random"] * per_1000, told,
        len(mine), record["tests"],
    )  # fmt: skip


def count_decisions(house: AppContext) -> DecisionCounts:
    """How decisions and appeals stand."""
    tally, filed = decisions_of(house).tally(), appeals(house.engine)
    answered = [each for each in filed if each.outcome is not None]
    as_asked, gentler, harder = (tally.get((IN_FORCE, name), 0) for name in ("as_asked", "gentler", "harder"))
    in_force = as_asked + gentler + harder
    waiting = sum(count for (state, _), count in tally.items() if state == PROPOSED)
    return DecisionCounts(
        in_force, waiting, gentler, harder, len(filed), len(answered),
        rate(sum(each.outcome == "reversed" for each in answered), len(answered), MIN_CASES),
        rate(as_asked, in_force, MIN_CASES),
    )  # fmt: skip


def count_removals(house: AppContext, published: OnlineStore) -> RemovalCounts:
    """The restrictions in force since a year."""
    since = house.now().date() - YEAR
    done = decisions_of(house).done(REMOVING, since)
    places = _places(published, done)
    again = _relisted(published.dossiers.folder, places, published.publication.as_of) if places else ()
    return RemovalCounts(len(done), take_down_times(done, policy_today(house).clocks), again)


def _places(published: OnlineStore, done: list[Decision]) -> tuple[tuple[int, date], ...]:
    """The SKUs of the catalogue that were taken down, by place, each with the first day."""
    places = published.snapshot.find([each.sku_id for each in done], [each.market for each in done]).tolist()
    days = [date.fromisoformat(each.since[:10]) for each in done]
    first = sorted(((place, day) for place, day in zip(places, days, strict=True) if place >= 0), reverse=True)
    return tuple(sorted(dict(first).items()))


@lru_cache(maxsize=4)
def _relisted(dossiers: Path, removals: tuple[tuple[int, date], ...], as_of: date) -> tuple[RelistingCounts, ...]:
    """Kept, since it reads every title of the catalogue; dossiers never change."""
    return count_relistings(dossiers, dict(removals), as_of)


BY_SKUS = "SKUs"


@dataclass(frozen=True)
class PrevalenceFigure:
    """A share with its interval for one category and market, None for all; `withheld` says why only `high` is told."""

    category: str | None
    market: str | None
    value: float | None
    low: float | None
    high: float
    withheld: str
    provisional: bool
    tests: int


@dataclass(frozen=True)
class PrevalenceReport:
    """The estimate of a day; `cells` by category and market, `catalogue` over all."""

    as_of: str
    catalogue: PrevalenceFigure
    cells: tuple[PrevalenceFigure, ...]
    tests: int
    failed_share: float


def latest_prevalence(workspace: Workspace) -> PrevalenceReport | None:
    """The newest estimate in the workspace, None where nothing was estimated, or nothing readable."""
    files = sorted(workspace.reports.glob("prevalence-*.json"))
    if not files:
        return None
    try:
        told = json.loads(files[-1].read_text(encoding="utf-8"))
        figures = [_figure(each) for each in told["figures"] if each["measure"] == BY_SKUS]
        whole = next(each for each in figures if each.category is None and each.market is None)
        cells = tuple(each for each in figures if each.category is not None and each.market is not None)
        return PrevalenceReport(told["as_of"], whole, cells, told["tests"], told["failed_share"])
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None


def _figure(told: dict[str, Any]) -> PrevalenceFigure:
    share, domain = told["share"], told["domain"]
    return PrevalenceFigure(
        domain["category"], domain["market"], share.get("value"), share.get("low"), share["high"], told["withheld"],
        told["provisional"], told["tests"],
    )  # fmt: skip


@dataclass(frozen=True)
class WatchReport:
    """The drift of a day. `asking` are the rules that ask for a new model, in words, of `rules` in all.

    `moved` are the features with their stability index, the most moved first.
    """

    as_of: str
    model: str
    rules: int
    asking: tuple[str, ...]
    moved: tuple[tuple[str, float], ...]


def latest_watch(workspace: Workspace) -> WatchReport | None:
    """The newest report in the workspace, None where there is none, or none readable."""
    files = sorted((workspace.reports / "monitor").glob("as_of=*/monitor.json"))
    if not files:
        return None
    try:
        told = json.loads(files[-1].read_text(encoding="utf-8"))
        moved = sorted(((str(name), float(psi)) for name, psi in told["psi"].items()), key=lambda each: -each[1])
        asking = tuple(str(rule["told"]) for rule in told["rules"] if not rule["holds"])
        return WatchReport(str(told["as_of"]), str(told["model"]), len(told["rules"]), asking, tuple(moved))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


YEAR_DAYS = 365


@dataclass(frozen=True)
class ExpiredNotices:
    """Notices whose `notice_days` ended in the year before the scores; on `undecided` nobody decided within them."""

    ended: int
    undecided: int
    notice_days: int


def expired_notices(house: AppContext, published: OnlineStore) -> ExpiredNotices:
    """Count the notices of the catalogue in service; a decision, unless declined, answers those known by its day."""
    as_of = published.publication.as_of
    days = fact_policy_in_force(as_of).notice_days
    rows = published.dossiers.rows("incidents", (ENTITY_ROW, "known_on"))
    if rows is None:
        return ExpiredNotices(0, 0, days)
    owners, known = rows[ENTITY_ROW].to_numpy(), rows["known_on"].to_numpy().astype("datetime64[D]")
    last = np.datetime64(as_of - timedelta(days=days))
    ended = (known < last) & (known >= last - YEAR_DAYS)
    owners, known = owners[ended], known[ended]
    answered = np.zeros(len(owners), dtype=np.bool_)
    for place, day in _decided(house, published, owners):
        here = slice(*np.searchsorted(owners, [place, place + 1]))
        answered[here] |= (known[here] <= np.datetime64(day)) & (np.datetime64(day) <= known[here] + days)
    return ExpiredNotices(len(owners), int((~answered).sum()), days)


def _decided(house: AppContext, published: OnlineStore, owners: NDArray[np.int32]) -> list[tuple[int, date]]:
    """Place and day of every decision on a SKU among `owners` that was not declined."""
    table = DECISIONS.c
    asked = sa.select(table.sku_id, table.market, table.proposed_at).where(table.state != DECLINED)
    with read_transaction(house.engine) as connection:
        found = connection.execute(asked).all()
    places = published.snapshot.find([row[0] for row in found], [row[1] for row in found])
    told = zip(places.tolist(), (date.fromisoformat(row[2][:10]) for row in found), strict=True)
    return [each for each, is_owner in zip(told, np.isin(places, owners).tolist(), strict=True) if is_owner]


router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

ROUNDS, DRIFTS = 12, 8


@router.get("/overview")
def overview(request: Request, house: AnyHouse) -> Response:
    """All figures on one page; what the data cannot carry is said instead of shown."""
    workspace, published = house.settings.workspace, house.desk.store()
    totals, uncounted = _totals(workspace, house)
    return page(
        request,
        "overview.html",
        totals=totals,
        uncounted=uncounted,
        prevalence=latest_prevalence(workspace),
        found=[round_outcomes(workspace, name) for name in round_ids(workspace)[-ROUNDS:]],
        metrics=published.metrics,
        watch=latest_watch(workspace),
        decided=count_decisions(house),
        drifts=DRIFTS,
        removed=count_removals(house, published),
        lapsed=expired_notices(house, published),
        kept_back=forecasts_of_training(published.metrics),
        since=forecasts_of_rounds(workspace),
        fewest=MIN_COUNT,
    )


def _totals(workspace: Workspace, house: AppContext) -> tuple[KpiTotals | None, str]:
    try:
        return read_totals(workspace, house.desk.store().publication.as_of), ""
    except UserError as refusal:
        return None, str(refusal)
