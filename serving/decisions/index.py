"""The decisions that wait or may be in force, in memory, brought up to date by the ledger rows of their changes."""

import threading
from dataclasses import dataclass
from datetime import date
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from data.database.connection import read_transaction
from data.database.schema import APPEALS, DECISION_FACTS, DECISIONS
from serving.decisions.records import IN_FORCE, PROPOSED, Decision, SkuKey

_LEFT_OUT = ("shown", "explanation", "settled_note")
_COLUMNS = [column for column in DECISIONS.c if column.name not in _LEFT_OUT]


@dataclass(frozen=True)
class ActiveDecision:
    """A decision that waits or may be in force, the rows it answers, and its open appeals with the days of filing.

    The decision is without what was displayed, its explanation and the note of its approval.
    """

    decision: Decision
    row_ids: frozenset[str] = frozenset()
    open_appeals: tuple[tuple[str, date], ...] = ()


class DecisionIndex:
    """The active decisions of a database by SKU and by supplier, for any thread. `cursor` is their last ledger row."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine, self._lock, self.cursor = engine, threading.Lock(), 0
        self._clear()

    def refresh(self) -> "DecisionIndex":
        """Read what changed since the last time; UserError where the database cannot be read."""
        with self._lock, read_transaction(self._engine) as connection:
            newest = connection.execute(sa.select(sa.func.max(DECISIONS.c.ledger_row))).scalar() or 0
            if newest < self.cursor:  # another database, such as a backup, took its place
                self._clear()
            if newest > self.cursor:
                self._read_changes(connection)
                self.cursor = newest
        return self

    def of(self, key: SkuKey, supplier_id: str | None) -> tuple[ActiveDecision, ...]:
        """The active decisions on a SKU, and those that bind its supplier, the oldest first."""
        with self._lock:
            of_sku = self._by_sku.get(key, {})
            of_supplier = self._binding.get(supplier_id, {}) if supplier_id else {}
            return tuple({**of_supplier, **of_sku}.values())

    def all(self) -> tuple[ActiveDecision, ...]:
        """Every active decision."""
        with self._lock:
            return tuple(each for of_sku in self._by_sku.values() for each in of_sku.values())

    def _clear(self) -> None:
        self.cursor = 0
        self._by_sku: dict[SkuKey, dict[str, ActiveDecision]] = {}
        self._binding: dict[str, dict[str, ActiveDecision]] = {}

    def _read_changes(self, connection: sa.Connection) -> None:
        changed = DECISIONS.c.ledger_row > self.cursor
        if self.cursor == 0:
            changed = DECISIONS.c.state.in_((PROPOSED, IN_FORCE))
        facts, appeals = _facts(connection, changed), _open_appeals(connection, changed)
        for row in connection.execute(sa.select(*_COLUMNS).where(changed).order_by(DECISIONS.c.ledger_row)):
            decision = Decision(**row._mapping, explanation="", settled_note=None)
            active = ActiveDecision(
                decision, frozenset(facts.get(decision.decision_id, ())), tuple(appeals.get(decision.decision_id, ()))
            )
            groups: list[dict[str, ActiveDecision]] = [self._by_sku.setdefault(decision.key, {})]
            if decision.supplier_id and decision.binds == "supplier":
                groups.append(self._binding.setdefault(decision.supplier_id, {}))
            for group in groups:
                group.pop(decision.decision_id, None)
                if decision.state in (PROPOSED, IN_FORCE):
                    group[decision.decision_id] = active


_INDEXES: WeakKeyDictionary[sa.Engine, DecisionIndex] = WeakKeyDictionary()
_INDEXES_LOCK = threading.Lock()


def decision_index(engine: sa.Engine) -> DecisionIndex:
    """The index of a database, made once and up to date."""
    with _INDEXES_LOCK:
        index = _INDEXES.setdefault(engine, DecisionIndex(engine))
    return index.refresh()


def _facts(connection: sa.Connection, changed: sa.ColumnElement[bool]) -> dict[str, list[str]]:
    facts: dict[str, list[str]] = {}
    joined = sa.select(DECISION_FACTS).join(DECISIONS, DECISIONS.c.decision_id == DECISION_FACTS.c.decision_id)
    for row in connection.execute(joined.where(changed)):
        facts.setdefault(row.decision_id, []).append(row.row_id)
    return facts


def _open_appeals(connection: sa.Connection, changed: sa.ColumnElement[bool]) -> dict[str, list[Any]]:
    appeals: dict[str, list[Any]] = {}
    joined = sa.select(APPEALS.c.decision_id, APPEALS.c.appeal_id, APPEALS.c.filed_at).join(
        DECISIONS, DECISIONS.c.decision_id == APPEALS.c.decision_id
    )
    for row in connection.execute(joined.where(changed, APPEALS.c.outcome.is_(None))):
        appeals.setdefault(row.decision_id, []).append((row.appeal_id, date.fromisoformat(row.filed_at[:10])))
    return appeals
