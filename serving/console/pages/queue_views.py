"""The saved views that depend on more than the scores: owner, deadline, random stratum, disagreement."""

from collections.abc import Mapping
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
from serving.console.blinding import BlindedScores, find_positions
from serving.console.case import current_policy, decisions_of
from serving.console.context import AppContext
from serving.console.session import Person
from serving.decisions.assignment_and_labels import owners
from serving.decisions.deadlines import ActionDeadline, add_working_days, first_deadline
from serving.decisions.legal_grounds import ORDER, Ground, grounds_in_force, open_notices
from serving.decisions.policy import DeadlineTerms
from serving.decisions.records import DECLINED, SkuKey
from serving.online.store import OnlineStore
from serving.review_queue.reader import Numbers


class CatalogueDeadlines:
    """The deadlines of the SKUs of one publication on one day; reads the days of last decisions once."""

    def __init__(self, context: AppContext, store: OnlineStore) -> None:
        self._store, self._today = store, context.now().date()
        self._terms = current_policy(context).deadlines
        self._decision_days = _last_decision_days(context.engine, store)

    def first(self, numbers: Numbers) -> list[ActionDeadline | None]:
        """The earliest running deadline of each SKU, None where none runs."""
        names = ("position", "first_order", "first_notice")
        columns = [self._store.queue.column(name)[numbers].tolist() for name in names]
        return [self._first(*row) for row in zip(*columns, strict=True)]

    def due_today(self) -> NDArray[np.int64]:
        """The positions of all SKUs whose deadline is today or earlier."""
        queue, today = self._store.queue, self._today
        late = queue.column("first_order") <= _latest_known_on(self._terms.authority_order, today, self._terms)
        late |= queue.column("first_notice") <= _latest_known_on(self._terms.notice, today, self._terms)
        numbers = np.flatnonzero(late)
        positions = queue.positions(numbers)
        decided = np.isin(positions, list(self._decision_days))
        still_due = [each is not None and each.on <= today for each in self.first(numbers[decided])]
        return np.concatenate([positions[~decided], positions[decided][np.array(still_due, dtype=bool)]])

    def _first(self, position: int, order: date | None, notice: date | None) -> ActionDeadline | None:
        """From the days in the queue; from the dossier where there was a decision since."""
        if order is None and notice is None:
            return None
        decided_on = self._decision_days.get(position)
        if decided_on is None:
            orders = [] if order is None else [Ground(ORDER, order, "", "")]
            return first_deadline(orders, [] if notice is None else [notice], self._terms, None)
        dossier = self._store.dossiers.of(position)
        as_of = self._store.publication.as_of
        return first_deadline(grounds_in_force(dossier, as_of), open_notices(dossier, as_of), self._terms, decided_on)


def _latest_known_on(working_days: int, today: date, terms: DeadlineTerms) -> Any:
    """The last day such that what became known on it is due today or earlier."""
    day = today
    while add_working_days(day, working_days, terms.holidays) > today:
        day -= timedelta(days=1)
    return np.datetime64(day)


def _last_decision_days(engine: sa.Engine, store: OnlineStore) -> Mapping[int, date]:
    """The day of the last decision on each SKU of the publication, by position; declined ones apart."""
    table = DECISIONS.c
    query = (
        sa.select(table.sku_id, table.market, sa.func.max(table.proposed_at))
        .where(table.state != DECLINED)
        .group_by(table.sku_id, table.market)
    )
    with read_transaction(engine) as connection:
        rows = connection.execute(query).all()
    positions = find_positions(store, [SkuKey(*row[:2]) for row in rows]).tolist()
    days = [date.fromisoformat(row[2][:10]) for row in rows]
    return {position: day for position, day in zip(positions, days, strict=True) if position >= 0}


EXPLORING = "floor"


def view_positions(
    view: str, context: AppContext, store: OnlineStore, person: Person, blinding: BlindedScores
) -> NDArray[np.int64] | None:
    """The positions of the SKUs in a view; None for a view of the scores alone."""
    if view == "mine":
        return find_positions(store, list(owners(context.engine, person.name)))
    if view == "estimate":
        return blinding.to_estimate
    if view == "random":
        return blinding.drop_hidden(store, find_positions(store, _random_stratum(context.settings.workspace, store)))
    if view == "disagree":
        decided = decisions_of(context).in_force()
        disagreeing = [each.key for each in decided if each.agreement != "as_asked"]
        return blinding.drop_hidden(store, find_positions(store, disagreeing))
    if view == "due":
        return CatalogueDeadlines(context, store).due_today()
    return None


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
