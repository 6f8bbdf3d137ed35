"""The cases of a scored catalogue today: which SKUs are restricted, which failed and are on sale, what is due when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from data.database.connection import read_transaction
from data.database.schema import LEDGER
from features.snapshot.storage import NO_ROW
from serving.decisions.cases import (
    REQUEST_DOCUMENTS,
    CaseEvidence,
    CaseState,
    case_state,
    results_since,
)
from serving.decisions.deadlines import ActionDeadline, add_working_days
from serving.decisions.index import ActiveDecision, DecisionIndex, decision_index
from serving.decisions.legal_grounds import ground_policy_in_force
from serving.decisions.new_documents import Documents, new_documents, with_new_documents
from serving.decisions.policy import SEVERITIES, DecisionPolicy
from serving.decisions.records import IN_FORCE, PROPOSED, SkuKey
from serving.dossiers.records import Incident, LabTest
from serving.notices.store import NOTICE, notice_incidents
from serving.online.store import OnlineStore

Positions = NDArray[np.int64]
Mask = NDArray[np.bool_]
Days = NDArray[Any]
NEVER = np.datetime64("9999-12-31")
MAX_STATES = 50_000
"""At most so many states of cases are kept in memory."""


@dataclass(frozen=True)
class CaseCounters:
    """Numbers of cases for the navigation and the overview; `appeals_due` are those to be answered by today."""

    failed_on_sale: int
    overdue: int
    awaiting_approval: int
    appeals_due: int


@dataclass(frozen=True)
class _KnownState:
    """The state of a case, with the decisions, results, notices and documents that it follows from."""

    state: CaseState
    decisions: tuple[ActiveDecision, ...]
    results: tuple[LabTest, ...]
    notices: tuple[Incident, ...]
    documents: Documents


class CatalogueClocks:
    """What outlasts a decision: the clocks of one publication under a policy, as its queue has them, known states.

    `states` are by position, at most MAX_STATES; `positions` are by SKU, -1 where the catalogue lacks it.
    """

    def __init__(self, store: OnlineStore, policy: DecisionPolicy, today: date) -> None:
        self.store, self.policy, self.today = store, policy, today
        self.states: dict[int, _KnownState] = {}
        self.positions: dict[SkuKey, int] = {}

    def find(self, keys: Iterable[SkuKey]) -> Positions:
        """The positions of those SKUs that the catalogue has, in order."""
        wanted = set(keys)
        new = [key for key in wanted if key not in self.positions]
        found = self.store.snapshot.find([key.sku_id for key in new], [key.market for key in new])
        self.positions.update(zip(new, found.tolist(), strict=True))
        return np.array(sorted({self.positions[key] for key in wanted} - {NO_ROW}), dtype=np.int64)

    @cached_property
    def due_days(self) -> Days:
        """By position: the day on which the earliest clock of its facts and notices is due, NEVER where none runs."""
        queue, terms = self.store.queue, self.policy.deadlines
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
        return due

    @cached_property
    def failed(self) -> Mask:
        """Mask by position of the SKUs with a failed test that stands."""
        queue = self.store.queue
        failed = np.zeros(len(queue), dtype=bool)
        failed[queue.positions(np.flatnonzero(~np.isnat(queue.column("failed_on"))))] = True
        return failed

    def _last_days(self, started: Days, working_days: int) -> Days:
        """The last day of each clock, NEVER where it does not run."""
        days, which = np.unique(started, return_inverse=True)
        holidays = self.policy.deadlines.holidays
        last = [
            NEVER if np.isnat(day) else np.datetime64(add_working_days(day.item(), working_days, holidays))
            for day in days
        ]
        return np.array(last, dtype="datetime64[D]")[which]


class CatalogueCases:
    """The cases of one publication on one day, by the decisions in the index; positions are rows of the snapshot."""

    def __init__(self, engine: sa.Engine, clocks: CatalogueClocks) -> None:
        self._clocks, self._store, self._policy, self._today = clocks, clocks.store, clocks.policy, clocks.today
        self._index: DecisionIndex = decision_index(engine)
        self._active = self._index.all()
        self._results = results_since(engine, clocks.store.publication.as_of)
        notice_days = ground_policy_in_force(clocks.store.publication.as_of).notice_days
        self._notices = notice_incidents(engine, clocks.today - timedelta(days=notice_days))
        self._documents = new_documents(engine, clocks.store.publication.as_of)

    def state(self, position: int) -> CaseState:
        """The state of the case at a position; computed anew where its decisions or results changed."""
        known = self._clocks.states.get(position)
        if known is not None and self._is_current(known):
            return known.state
        dossier = self._store.dossiers.of(position)
        key = SkuKey(dossier.listing.sku_id, dossier.listing.market)
        supplier, results = dossier.listing.supplier_id, self._results.get(key, ())
        decisions, documents = self._index.of(key, supplier), self._documents.of(key.sku_id, supplier)
        notices, dossier = self._notices.get(key, ()), with_new_documents(dossier, documents)
        evidence = CaseEvidence(key, supplier, self._store.publication.as_of, dossier, results, notices)
        state = case_state(evidence, decisions, self._policy, self._today)
        if len(self._clocks.states) >= MAX_STATES:
            self._clocks.states.clear()
        self._clocks.states[position] = _KnownState(state, decisions, results, notices, documents)
        return state

    def _is_current(self, known: _KnownState) -> bool:
        key, supplier = known.state.key, known.state.supplier_id
        documents = self._documents.of(key.sku_id, supplier)
        evidence = (self._results.get(key, ()), self._notices.get(key, ()), documents)
        rests_on = (known.results, known.notices, known.documents)
        return known.decisions == self._index.of(key, supplier) and rests_on == evidence

    def states(self, positions: Iterable[int]) -> list[CaseState]:
        """The states at these positions, in order."""
        return [self.state(position) for position in positions]

    def positions_with_news(self, supplier_id: str) -> list[int]:
        """The positions of the supplier's SKUs that have results or documents of their own since the scoring."""
        markets = self._store.queue.markets
        documented = [SkuKey(sku_id, market) for sku_id in self._documents.by_sku for market in markets]
        found = self._clocks.find([*self._results, *documented]).tolist()
        return [each for each in found if self._store.dossiers.of(each).listing.supplier_id == supplier_id]

    @cached_property
    def restricted(self) -> Mask:
        """Mask by position of the SKUs that a decision in force restricts."""
        mask = np.zeros(len(self._store.queue), dtype=bool)
        decisions = (each.decision for each in self._active)
        restrictions = [
            each for each in decisions if self._policy.restricts(each.disposition) and each.is_in_force(self._today)
        ]
        mask[self._clocks.find(each.key for each in restrictions)] = True
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
        recent = (each.decision.key for each in self._active if each.decision.proposed_at >= since)
        mask[self._clocks.find(recent)] = True
        return mask

    @cached_property
    def against_score(self) -> Positions:
        """The positions of the SKUs with a decision in force that is not what the score asked for."""
        decided = (each.decision for each in self._active)
        return self._clocks.find(
            each.key for each in decided if each.state == IN_FORCE and each.agreement != "as_asked"
        )

    @cached_property
    def failed_on_sale(self) -> Positions:
        """The positions of the SKUs with a failed test that stands and no restriction, the most urgent first."""
        failed = self._clocks.failed.copy()
        new = self._clocks.find(self._results)
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
        decisions = self._active
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
        due = self._clocks.due_days.copy()
        due[self.restricted] = NEVER
        for position in self._touched():
            first = self.state(position).deadline
            due[position] = np.datetime64(first.on) if first else NEVER
        return due

    def _touched(self) -> list[int]:
        """The positions whose clocks depend on more than the columns: on decisions, results or notices of their own."""
        appealed, answered = set(), {*self._results, *self._notices}
        for each in self._active:
            if each.open_appeals or each.decision.disposition == REQUEST_DOCUMENTS:
                appealed.add(each.decision.key)
            elif each.row_ids:
                answered.add(each.decision.key)
        on_sale = self._clocks.find(answered)
        touched: list[int] = np.union1d(self._clocks.find(appealed), on_sale[~self.restricted[on_sale]]).tolist()
        return touched


def catalogue_cases(engine: sa.Engine, store: OnlineStore, policy: DecisionPolicy, today: date) -> CatalogueCases:
    """The cases of a publication; made anew when a decision, evidence, the policy or the day changed."""
    query = sa.select(sa.func.max(LEDGER.c.number)).where(LEDGER.c.action.in_(("results", "hand_in_rows", NOTICE)))
    with read_transaction(engine) as connection:
        newest_results = connection.execute(query).scalar() or 0
    catalogue, changes = (store.name, policy.version, today), (decision_index(engine).cursor, newest_results)
    cached = _CACHE.get(engine)
    if cached is None or cached.catalogue != catalogue:
        clocks = CatalogueClocks(store, policy, today)
    elif cached.changes != changes:
        clocks = cached.clocks
    else:
        return cached.cases
    cases = CatalogueCases(engine, clocks)
    _CACHE[engine] = _Cached(catalogue, changes, clocks, cases)
    return cases


@dataclass(frozen=True)
class _Cached:
    """The cases of a database with the publication, policy and day, and the last changes, that they are of."""

    catalogue: tuple[object, ...]
    changes: tuple[int, int]
    clocks: CatalogueClocks
    cases: CatalogueCases


_CACHE: WeakKeyDictionary[sa.Engine, _Cached] = WeakKeyDictionary()
