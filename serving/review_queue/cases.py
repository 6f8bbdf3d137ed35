"""The cases of a scored catalogue today: which SKUs are restricted, which failed and are on sale, what is due when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from data.database.connection import read_transaction
from data.database.schema import LEDGER
from serving.decisions.cases import (
    REQUEST_DOCUMENTS,
    CaseEvidence,
    CaseState,
    case_state,
    restrictions_among,
    results_since,
)
from serving.decisions.deadlines import ActionDeadline, add_working_days
from serving.decisions.index import DecisionIndex, decision_index
from serving.decisions.policy import SEVERITIES, DecisionPolicy
from serving.decisions.records import PROPOSED, SkuKey
from serving.online.store import OnlineStore

Positions = NDArray[np.int64]
Mask = NDArray[np.bool_]
Days = NDArray[Any]
NEVER = np.datetime64("9999-12-31")


@dataclass(frozen=True)
class CaseCounters:
    """Numbers of cases for the navigation and the overview; `appeals_due` are those to be answered by today."""

    failed_on_sale: int
    overdue: int
    awaiting_approval: int
    appeals_due: int


class CatalogueCases:
    """The cases of one publication on one day, by the decisions in the index; positions are rows of the snapshot."""

    def __init__(self, engine: sa.Engine, store: OnlineStore, policy: DecisionPolicy, today: date) -> None:
        self._engine, self._store, self._policy, self._today = engine, store, policy, today
        self._index: DecisionIndex = decision_index(engine)
        self._results = results_since(engine, store.publication.as_of)

    def state(self, position: int) -> CaseState:
        """The state of the case at a position."""
        dossier = self._store.dossiers.of(position)
        key = SkuKey(dossier.listing.sku_id, dossier.listing.market)
        supplier = dossier.listing.supplier_id
        evidence = CaseEvidence(key, supplier, self._store.publication.as_of, dossier, self._results.get(key, ()))
        return case_state(evidence, self._index.of(key, supplier), self._policy, self._today)

    def states(self, positions: Iterable[int]) -> list[CaseState]:
        """The states at these positions, in order."""
        return [self.state(position) for position in positions]

    def positions_with_results(self, supplier_id: str) -> list[int]:
        """The positions of the supplier's SKUs that have results since the scoring."""
        found = self._positions(self._results).tolist()
        return [each for each in found if self._store.dossiers.of(each).listing.supplier_id == supplier_id]

    @cached_property
    def restricted(self) -> Mask:
        """Mask by position of the SKUs that a decision in force restricts."""
        mask = np.zeros(len(self._store.queue), dtype=bool)
        in_force = [each.decision for each in self._index.all() if each.decision.is_in_force(self._today)]
        restrictions = restrictions_among(in_force, self._policy)
        mask[self._positions(each.key for each in restrictions)] = True
        bound = {each.supplier_id for each in restrictions if each.binds == "supplier" and each.supplier_id}
        if bound:
            queue = self._store.queue
            of_bound = np.isin(queue.column("supplier"), queue.supplier_numbers(sorted(bound)))
            mask[queue.positions(np.flatnonzero(of_bound))] = True
        return mask

    @cached_property
    def decided(self) -> Mask:
        """Mask by position of the SKUs with a decision or proposal of the day of the scores or later."""
        mask, since = np.zeros(len(self._store.queue), dtype=bool), self._store.publication.as_of.isoformat()
        recent = (each.decision.key for each in self._index.all() if each.decision.proposed_at >= since)
        mask[self._positions(recent)] = True
        return mask

    @cached_property
    def failed_on_sale(self) -> Positions:
        """The positions of the SKUs with a failed test that stands and no restriction, the most urgent first."""
        queue = self._store.queue
        failed = np.zeros(len(queue), dtype=bool)
        failed[queue.positions(np.flatnonzero(~np.isnat(queue.column("failed_on"))))] = True
        new = self._positions(self._results)
        failed[new] = [self.state(position).failed_test is not None for position in new.tolist()]
        found = np.flatnonzero(failed & ~self.restricted)
        return found[np.argsort(self._due_days[found], kind="stable")]

    @cached_property
    def due(self) -> Positions:
        """The positions of the SKUs with a running clock, in order of the day on which they are due."""
        found = np.flatnonzero(self._due_days < NEVER)
        return found[np.argsort(self._due_days[found], kind="stable")]

    @cached_property
    def counters(self) -> CaseCounters:
        """The numbers of cases."""
        decisions = self._index.all()
        filed = [day for each in decisions for _, day in each.open_appeals]
        days, terms = self._policy.appeals.answer_working_days, self._policy.deadlines
        return CaseCounters(
            failed_on_sale=len(self.failed_on_sale),
            overdue=int((self._due_days < np.datetime64(self._today)).sum()),
            awaiting_approval=sum(each.decision.state == PROPOSED for each in decisions),
            appeals_due=sum(add_working_days(day, days, terms.holidays) <= self._today for day in filed),
        )

    def first_deadlines(self, positions: Sequence[int]) -> list[ActionDeadline | None]:
        """The earliest running clock of each SKU, None where none runs."""
        has_clock = self._due_days[list(positions)] < NEVER
        return [self.state(each).deadline if runs else None for each, runs in zip(positions, has_clock, strict=True)]

    @cached_property
    def _due_days(self) -> Days:
        """By position: the day on which the earliest clock is due, NEVER where none runs."""
        queue, terms = self._store.queue, self._policy.deadlines
        due = np.full(len(queue), NEVER)
        positions = queue.positions(np.arange(len(queue)))
        due[positions] = np.minimum(
            self._last_days(queue.column("first_order"), terms.authority_order),
            self._last_days(queue.column("first_notice"), terms.notice),
        )
        severity = queue.column("failed_severity")
        for rank, name in enumerate(SEVERITIES):
            failed_on = np.where(severity == rank, queue.column("failed_on"), np.datetime64("NaT"))
            due[positions] = np.minimum(due[positions], self._last_days(failed_on, terms.failed_test.after(name)))
        due[self.restricted] = NEVER
        for position in self._touched():
            first = self.state(position).deadline
            due[position] = np.datetime64(first.on) if first else NEVER
        return due

    def _last_days(self, started: Days, working_days: int) -> Days:
        """The last day of each clock, NEVER where it does not run."""
        days, which = np.unique(started, return_inverse=True)
        holidays = self._policy.deadlines.holidays
        last = [
            NEVER if np.isnat(day) else np.datetime64(add_working_days(day.item(), working_days, holidays))
            for day in days
        ]
        return np.array(last, dtype="datetime64[D]")[which]

    def _touched(self) -> list[int]:
        """The positions whose clocks depend on more than the columns: on decisions or results of their own."""
        appealed, answered = set(), set(self._results)
        for each in self._index.all():
            if each.open_appeals or each.decision.disposition == REQUEST_DOCUMENTS:
                appealed.add(each.decision.key)
            elif each.row_ids:
                answered.add(each.decision.key)
        on_sale = self._positions(answered)
        touched: list[int] = np.union1d(self._positions(appealed), on_sale[~self.restricted[on_sale]]).tolist()
        return touched

    def _positions(self, keys: Iterable[SkuKey]) -> Positions:
        """The positions of those SKUs that the catalogue has."""
        unique = sorted(set(keys))
        found = self._store.snapshot.find([key.sku_id for key in unique], [key.market for key in unique])
        return np.asarray(found[found >= 0], dtype=np.int64)


def catalogue_cases(engine: sa.Engine, store: OnlineStore, policy: DecisionPolicy, today: date) -> CatalogueCases:
    """The cases of a publication; made anew when a decision, a result, the policy or the day changed."""
    query = sa.select(sa.func.max(LEDGER.c.number)).where(LEDGER.c.action == "results")
    with read_transaction(engine) as connection:
        newest_results = connection.execute(query).scalar() or 0
    state = (store.name, policy.version, today, decision_index(engine).cursor, newest_results)
    cached = _CACHE.get(engine)
    if cached is None or cached[0] != state:
        cached = (state, CatalogueCases(engine, store, policy, today))
        _CACHE[engine] = cached
    return cached[1]


_CACHE: WeakKeyDictionary[sa.Engine, tuple[tuple[object, ...], CatalogueCases]] = WeakKeyDictionary()
