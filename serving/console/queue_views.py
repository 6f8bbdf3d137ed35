"""The saved views that depend on more than the scores: whose case, what is due, what was drawn, who disagrees."""

from collections.abc import Iterable
from datetime import date

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.workspace import Workspace
from sampling.rounds import round_ids
from serving.console.house import House
from serving.console.session import Person
from serving.decisions.clock import Due, due
from serving.decisions.owners import owners
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.store import Decisions
from serving.facts import standing_facts
from serving.published import Published
from serving.queue.shape import Evidence
from serving.queue.wanted import Wanted

Key = tuple[str, str]
EXPLORING = "floor"
MOST_DUE = 300
"""So many of the riskiest SKUs with an order or a notice are looked through for what is due."""


def among(view: str, house: House, published: Published, person: Person) -> NDArray[np.int64] | None:
    """The positions that a view is about; None where the scores alone decide."""
    if view == "mine":
        return _places(published, owners(house.engine, person.name))
    if view == "random":
        return _places(published, _drawn_at_random(house.settings.workspace, published))
    if view == "disagree":
        decided = Decisions(house.engine, decision_policy_in_force(house.now().date())).in_force()
        return _places(published, [(d.sku_id, d.market) for d in decided if d.agreement != "as_asked"])
    if view == "due":
        return np.array(sorted(_due_today(house, published)), dtype=np.int64)
    return None


def deadlines(house: House, published: Published, positions: Iterable[int]) -> dict[int, Due]:
    """The first deadline that runs for each of these positions, where one does."""
    policy = decision_policy_in_force(house.now().date())
    decisions, running = Decisions(house.engine, policy), {}
    for position in positions:
        dossier = published.dossiers.of(position)
        listing = dossier.listing
        made = [d.proposed_at[:10] for d in decisions.of_sku(listing.sku_id, listing.market) if d.state != "declined"]
        facts = standing_facts(dossier, published.publication.as_of)
        notices = [each.known_on for each in dossier.incidents]
        found = due(facts, notices, policy.clocks, max(map(date.fromisoformat, made), default=None))
        if found is not None:
            running[position] = found
    return running


def _due_today(house: House, published: Published) -> list[int]:
    told: list[int] = []
    for kind in (Evidence.HOLD, Evidence.INCIDENT):
        numbers = published.queue.find(Wanted(evidence=kind))[:MOST_DUE]
        told += [entry.position for entry in published.queue.entries(numbers)]
    today = house.now().date()
    return [position for position, each in deadlines(house, published, set(told)).items() if each.on <= today]


def _drawn_at_random(workspace: Workspace, published: Published) -> list[Key]:
    """What the newest round of the day in service drew to explore."""
    of_day = [name for name in round_ids(workspace) if name.startswith(published.publication.as_of.isoformat())]
    if not of_day:
        return []
    plan = pq.read_table(workspace.plans / of_day[-1] / "plan.parquet", columns=["sku_id", "market", "reason"])
    return [(row["sku_id"], row["market"]) for row in plan.to_pylist() if row["reason"] == EXPLORING]


def _places(published: Published, keys: Iterable[Key]) -> NDArray[np.int64]:
    pairs = list(keys)
    return published.snapshot.find([sku_id for sku_id, _ in pairs], [market for _, market in pairs])
