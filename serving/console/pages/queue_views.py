"""The saved views that depend on more than the scores: failed, due, decided, owner, random checks, disagreement."""

from datetime import date

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.workspace import Workspace
from sampling.plan_files import round_ids
from serving.console.blinding import BlindedScores, find_positions
from serving.console.case import catalogue_cases_of
from serving.console.context import AppContext
from serving.console.session import Person
from serving.decisions.assignment_and_labels import owners
from serving.decisions.records import SkuKey
from serving.online.store import OnlineStore
from serving.review_queue.cases import CatalogueCases

EXPLORING = "floor"
IN_GIVEN_ORDER = ("failed", "due")
"""The views whose SKUs come by the day on which they are due."""


def view_positions(
    view: str, context: AppContext, store: OnlineStore, person: Person, blinding: BlindedScores
) -> NDArray[np.int64] | None:
    """The positions of the SKUs in a view, in its order for IN_GIVEN_ORDER; None for a view of the scores alone."""
    if view == "mine":
        return find_positions(store, list(owners(context.engine, person.name)))
    if view == "estimate":
        return blinding.to_estimate
    if view == "random":
        return blinding.drop_hidden(store, find_positions(store, _random_stratum(context.settings.workspace, store)))
    if view == "disagree":
        return blinding.drop_hidden(store, catalogue_cases_of(context, store).against_score)
    return _positions_of_cases(view, catalogue_cases_of(context, store))


def _positions_of_cases(view: str, cases: CatalogueCases) -> NDArray[np.int64] | None:
    """The positions of the SKUs in a view of the state of cases; None for any other view."""
    if view == "decided":
        return np.flatnonzero(cases.decided | cases.restricted)
    return {"due": cases.due, "failed": cases.failed_on_sale}[view] if view in IN_GIVEN_ORDER else None


def _random_stratum(workspace: Workspace, store: OnlineStore) -> list[SkuKey]:
    """The SKUs that the newest round of the day in service drew at random to explore."""
    newest = newest_round(workspace, store.publication.as_of)
    if newest is None:
        return []
    plan = pq.read_table(workspace.plans / newest / "plan.parquet", columns=["sku_id", "market", "reason"])
    return [SkuKey(row["sku_id"], row["market"]) for row in plan.to_pylist() if row["reason"] == EXPLORING]


def newest_round(workspace: Workspace, as_of: date) -> str | None:
    """The id of the newest round of the day; None where there is none."""
    of_day = [name for name in round_ids(workspace) if name.startswith(as_of.isoformat())]
    return max(of_day, key=lambda name: (workspace.plans / name).stat().st_mtime, default=None)
