"""The saved views that depend on more than the scores: whose case, what is due, what was drawn, who disagrees."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import sqlalchemy as sa
from numpy.typing import NDArray

from data.database.connection import read_transaction
from data.database.schema import DECISIONS
from data.workspace import Workspace
from sampling.rounds import round_ids
from serving.console.blinding import BlindedScores
from serving.console.context import AppContext
from serving.console.session import Person
from serving.decisions.assignment_and_labels import owners
from serving.decisions.deadlines import Due, due, working_day_after
from serving.decisions.legal_grounds import ORDER, Ground, grounds_in_force, open_notices
from serving.decisions.policy import Clocks, decision_policy_in_force
from serving.decisions.records import DECLINED
from serving.decisions.store import Decisions
from serving.online.store import OnlineStore
from serving.review_queue.reader import Numbers


class Deadlines:
    """The deadlines of one publication on one day; asks the state once, for the day of every SKU's last decision."""

    def __init__(self, house: AppContext, published: OnlineStore) -> None:
        self._published, self._today = published, house.now().date()
        self._clocks = decision_policy_in_force(self._today).clocks
        self._decided = _decided(house.engine, published)

    def of(self, numbers: Numbers) -> list[Due | None]:
        """The first deadline that runs for each of these SKUs, None where none does."""
        store = self._published.queue
        told = [store.column(name)[numbers].tolist() for name in ("position", "first_order", "first_notice")]
        return [self._due(*each) for each in zip(*told, strict=True)]

    def today(self) -> NDArray[np.int64]:
        """The positions of all SKUs whose deadline is today or has passed."""
        store, today = self._published.queue, self._today
        late = store.column("first_order") <= _latest(self._clocks.authority_order, today, self._clocks)
        late |= store.column("first_notice") <= _latest(self._clocks.notice, today, self._clocks)
        numbers = np.flatnonzero(late)
        positions = store.positions(numbers)
        answered = np.isin(positions, list(self._decided))
        again = [each is not None and each.on <= today for each in self.of(numbers[answered])]
        return np.concatenate([positions[~answered], positions[answered][np.array(again, dtype=bool)]])

    def _due(self, position: int, order: date | None, notice: date | None) -> Due | None:
        """From the days in the queue; from the dossier where a decision answered some of what it knows."""
        if order is None and notice is None:
            return None
        decided_on = self._decided.get(position)
        if decided_on is None:
            ordered = [] if order is None else [Ground(ORDER, order, "", "")]
            return due(ordered, [] if notice is None else [notice], self._clocks, None)
        dossier = self._published.dossiers.of(position)
        as_of = self._published.publication.as_of
        return due(grounds_in_force(dossier, as_of), open_notices(dossier, as_of), self._clocks, decided_on)


def _latest(working_days: int, today: date, clocks: Clocks) -> Any:
    """The last day on which something became known whose deadline is today or earlier."""
    day = today
    while working_day_after(day, working_days, clocks.holidays) > today:
        day -= timedelta(days=1)
    return np.datetime64(day)


def _decided(engine: sa.Engine, published: OnlineStore) -> Mapping[int, date]:
    """The day of the last decision on each SKU of the publication, by position; declined ones do not count."""
    table = DECISIONS.c
    asked = (
        sa.select(table.sku_id, table.market, sa.func.max(table.proposed_at))
        .where(table.state != DECLINED)
        .group_by(table.sku_id, table.market)
    )
    with read_transaction(engine) as connection:
        rows = connection.execute(asked).all()
    places = published.snapshot.find([row[0] for row in rows], [row[1] for row in rows]).tolist()
    return {place: date.fromisoformat(row[2][:10]) for place, row in zip(places, rows, strict=True) if place >= 0}


Key = tuple[str, str]
EXPLORING = "floor"


def among(
    view: str, house: AppContext, published: OnlineStore, seen_by: tuple[Person, BlindedScores]
) -> NDArray[np.int64] | None:
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


def _drawn_at_random(workspace: Workspace, published: OnlineStore) -> list[Key]:
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


def _places(published: OnlineStore, keys: Iterable[Key]) -> NDArray[np.int64]:
    pairs = list(keys)
    return published.snapshot.find([sku_id for sku_id, _ in pairs], [market for _, market in pairs])
