"""The overview for leads and data scientists: how the catalogue, the tests, the model and the decisions stand."""

from dataclasses import dataclass

import pyarrow.compute as pc
from fastapi import APIRouter, Depends, Request, Response

from data.refusal import Refusal
from data.results import accepted_results
from data.workspace import Workspace
from sampling.rounds import round_ids, round_record
from serving.console.casework import decisions_of
from serving.console.house import House
from serving.console.pages import page
from serving.console.prevalence import latest_prevalence
from serving.console.session import AnyHouse, signed_in
from serving.console.watch import latest_watch
from serving.decisions.appeals import appeals
from serving.decisions.record import IN_FORCE, PROPOSED
from serving.indicators.figures import FEWEST_CASES, Totals, rate
from serving.indicators.keeping import read_totals

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

ROUNDS, DRIFTS = 12, 8
FEWEST_RESULTS = 10


@dataclass(frozen=True)
class Found:
    """What a round found per 1,000 EUR; `failures` None while too few results are in to say."""

    round_id: str
    expected: float
    at_random: float
    failures: float | None
    results: int
    tests: int


@dataclass(frozen=True)
class Decided:
    """How decisions stand; shares are None where too few carry them."""

    in_force: int
    waiting: int
    gentler: int
    harder: int
    appeals: int
    answered: int
    overturned: float | None
    agreement: float | None


@router.get("/overview")
def overview(request: Request, house: AnyHouse) -> Response:
    """All figures on one page; what the data cannot carry is said instead of shown."""
    workspace, published = house.settings.workspace, house.desk.published()
    totals, uncounted = _totals(workspace, house)
    return page(
        request, "overview.html", totals=totals, uncounted=uncounted, prevalence=latest_prevalence(workspace),
        found=[_found(workspace, name) for name in round_ids(workspace)[-ROUNDS:]], metrics=published.metrics,
        watch=latest_watch(workspace), decided=_decided(house), drifts=DRIFTS,
    )  # fmt: skip


def _totals(workspace: Workspace, house: House) -> tuple[Totals | None, str]:
    try:
        return read_totals(workspace, house.desk.published().publication.as_of), ""
    except Refusal as refusal:
        return None, str(refusal)


def _found(workspace: Workspace, round_id: str) -> Found:
    """Per 1,000 EUR of the tests whose results are in; expectations are those of the whole plan."""
    record, results = round_record(workspace, round_id), accepted_results(workspace)
    mine = results.filter(pc.equal(results["round_id"], round_id))
    per_1000 = 1000 / record["cost_eur"] if record["cost_eur"] else 0.0
    failed = pc.sum(pc.equal(mine["result"], "fail")).as_py() or 0
    share_in = len(mine) / record["tests"] if record["tests"] else 0.0
    told = failed * per_1000 / share_in if len(mine) >= FEWEST_RESULTS else None
    return Found(
        round_id, record["expected_failures"] * per_1000, record["expected_failures_at_random"] * per_1000, told,
        len(mine), record["tests"],
    )  # fmt: skip


def _decided(house: House) -> Decided:
    tally, filed = decisions_of(house).tally(), appeals(house.engine)
    answered = [each for each in filed if each.outcome is not None]
    as_asked, gentler, harder = (tally.get((IN_FORCE, name), 0) for name in ("as_asked", "gentler", "harder"))
    in_force = as_asked + gentler + harder
    waiting = sum(count for (state, _), count in tally.items() if state == PROPOSED)
    return Decided(
        in_force, waiting, gentler, harder, len(filed), len(answered),
        rate(sum(each.outcome == "reversed" for each in answered), len(answered), FEWEST_CASES),
        rate(as_asked, in_force, FEWEST_CASES),
    )  # fmt: skip
