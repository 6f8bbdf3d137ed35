"""The overview for leads and data scientists: how the catalogue, the tests, the model and the decisions stand."""

from fastapi import APIRouter, Depends, Request, Response

from data.errors import Refusal
from data.workspace import Workspace
from sampling.rounds import round_ids
from serving.console.house import House
from serving.console.lapsed import lapsed
from serving.console.overview_figures import decided, found, removed
from serving.console.pages import page
from serving.console.prevalence import latest_prevalence
from serving.console.session import AnyHouse, signed_in
from serving.console.watch import latest_watch
from serving.indicators.figures import Totals
from serving.indicators.forecasts import forecasts_of_rounds, forecasts_of_training
from serving.indicators.keeping import read_totals
from serving.indicators.shares import FEWEST

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

ROUNDS, DRIFTS = 12, 8


@router.get("/overview")
def overview(request: Request, house: AnyHouse) -> Response:
    """All figures on one page; what the data cannot carry is said instead of shown."""
    workspace, published = house.settings.workspace, house.desk.published()
    totals, uncounted = _totals(workspace, house)
    return page(
        request, "overview.html", totals=totals, uncounted=uncounted, prevalence=latest_prevalence(workspace),
        found=[found(workspace, name) for name in round_ids(workspace)[-ROUNDS:]], metrics=published.metrics,
        watch=latest_watch(workspace), decided=decided(house), drifts=DRIFTS, removed=removed(house, published),
        lapsed=lapsed(house, published),
        kept_back=forecasts_of_training(published.metrics), since=forecasts_of_rounds(workspace), fewest=FEWEST,
    )  # fmt: skip


def _totals(workspace: Workspace, house: House) -> tuple[Totals | None, str]:
    try:
        return read_totals(workspace, house.desk.published().publication.as_of), ""
    except Refusal as refusal:
        return None, str(refusal)
