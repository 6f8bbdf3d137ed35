"""The saved views that depend on more than the scores: whose case, what is due, what was drawn, who disagrees."""

from collections.abc import Iterable
from datetime import date

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.workspace import Workspace
from sampling.rounds import round_ids
from serving.console.deadlines import Deadlines
from serving.console.house import House
from serving.console.session import Person
from serving.console.veil import Veil
from serving.decisions.owners import owners
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.store import Decisions
from serving.published import Published

Key = tuple[str, str]
EXPLORING = "floor"


def among(view: str, house: House, published: Published, seen_by: tuple[Person, Veil]) -> NDArray[np.int64] | None:
    """The positions that a view is about; None where the scores alone decide."""
    person, veil = seen_by
    if view == "mine":
        return _places(published, owners(house.engine, person.name))
    if view == "estimate":
        return veil.asked
    if view == "random":
        return veil.without(published, _places(published, _drawn_at_random(house.settings.workspace, published)))
    if view == "disagree":
        decided = Decisions(house.engine, decision_policy_in_force(house.now().date())).in_force()
        apart = [(d.sku_id, d.market) for d in decided if d.agreement != "as_asked"]
        return veil.without(published, _places(published, apart))
    if view == "due":
        return Deadlines(house, published).today()
    return None


def _drawn_at_random(workspace: Workspace, published: Published) -> list[Key]:
    """What the newest round of the day in service drew to explore."""
    newest = newest_round(workspace, published.publication.as_of)
    if newest is None:
        return []
    plan = pq.read_table(workspace.plans / newest / "plan.parquet", columns=["sku_id", "market", "reason"])
    return [(row["sku_id"], row["market"]) for row in plan.to_pylist() if row["reason"] == EXPLORING]


def newest_round(workspace: Workspace, as_of: date) -> str | None:
    """The round of the day that was drawn last; None where there is none."""
    of_day = [name for name in round_ids(workspace) if name.startswith(as_of.isoformat())]
    return max(of_day, key=lambda name: (workspace.plans / name).stat().st_mtime, default=None)


def _places(published: Published, keys: Iterable[Key]) -> NDArray[np.int64]:
    pairs = list(keys)
    return published.snapshot.find([sku_id for sku_id, _ in pairs], [market for _, market in pairs])
