"""What a worker knows of all codes: the table of the publication and every change since, read every few seconds."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from weakref import WeakKeyDictionary

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from data.database.connection import read_transaction
from data.database.schema import DECISIONS, LEDGER
from data.errors import UnavailableError, UserError
from data.workspace import Workspace
from models.hazard_words import hazard_phrases
from serving.decisions.index import ActiveDecision, decision_index
from serving.decisions.policy import decision_policy_in_force
from serving.decisions.records import PROPOSED, SkuKey, read_context
from serving.publication import published_name
from serving.trust.answer import Fall, Recall, TrustAnswer, trust_answer
from serving.trust.keys import SigningKey, SigningKeys
from serving.trust.policy import TrustPolicy, trust_policy_in_force
from serving.trust.store import TrustCode, TrustCodes, list_length
from serving.trust.table import TrustTable, open_trust_table
from serving.trust.withdrawals import withdraw_fallen

RECALL = "recall"
FACTS = ("results", "hand_in_rows")
"""Actions of the ledger that bring facts without a scoring."""

CANNOT_CHECK = "This summary cannot be checked right now. Try again in a minute, and do not rely on earlier copies."


@dataclass(frozen=True)
class _Bound:
    """What decisions and proposals restrict today: SKUs, suppliers, and the recalls in force."""

    skus: frozenset[SkuKey] = frozenset()
    suppliers: frozenset[str] = frozenset()
    recalls: dict[SkuKey, Recall] = field(default_factory=dict)


class TrustRegister:
    """The codes of one database as one worker knows them; for any thread.

    What was read is used for `reread_seconds` of the policy; then the next request reads again, while others are
    answered from what is there. Nothing is answered from what is older than `trusted_seconds`.
    """

    def __init__(
        self, engine: sa.Engine, workspace: Workspace, steady_clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine, self._workspace, self._clock = engine, workspace, steady_clock
        self._codes, self._keys = TrustCodes(engine), SigningKeys(workspace)
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._inputs: tuple[object, ...] = ()
        self._name: str | None = None
        self._table: TrustTable | None = None
        self._changes: dict[str, TrustCode] = {}
        self._cursor, self._bound = 0, _Bound()
        self._signing_keys: tuple[SigningKey, ...] = ()

    def find(self, code: str, now: datetime) -> TrustAnswer | None:
        """What is said of a code as `read_code` writes it, None where it was not issued.

        Raises UnavailableError where the database could not be read for too long.
        """
        policy = self.refresh(now)
        row = self._row(code)
        return None if row is None else trust_answer(row, self._fall(row, now), now, policy)

    def has_in_memory(self, code: str, now: datetime) -> bool:
        """Whether `find` would ask no database and wait for nobody; a code is as `read_code` writes it."""
        policy = trust_policy_in_force(now.astimezone(UTC).date())
        return not self._is_older(policy.reread_seconds) and self._known(code) is not None

    def keys(self, now: datetime) -> tuple[SigningKey, ...]:
        """The signing keys, the newest first."""
        self.refresh(now)
        return self._signing_keys

    def ended_positions(self, now: datetime) -> tuple[NDArray[np.int64], int]:
        """The positions of all codes that do not stand, and the length of the status list."""
        policy, today = self.refresh(now), now.astimezone(UTC).date()
        in_table = self._table.ended_positions(today) if self._table else np.array([], np.int64)
        changed = [row.status_index for row in self._changes.values() if not row.stands(today)]
        count = len(self._changes) + (len(self._table) if self._table else 0)
        return np.union1d(in_table, np.array(changed, np.int64)), list_length(count, policy)

    def refresh(self, now: datetime) -> TrustPolicy:
        """Read what changed, unless that was done a moment ago; the policy in force."""
        policy = trust_policy_in_force(now.astimezone(UTC).date())
        if not self._is_older(policy.reread_seconds):
            return policy
        if self._lock.acquire(blocking=self._is_older(policy.trusted_seconds)):
            try:
                if self._is_older(policy.reread_seconds):
                    self._read(now)
            except (UserError, OSError) as error:
                if self._is_older(policy.trusted_seconds):
                    raise UnavailableError(CANNOT_CHECK) from error
            finally:
                self._lock.release()
        return policy

    def _is_older(self, seconds: float) -> bool:
        """Whether what is known was read so long ago, or never."""
        read_at = self._read_at
        return read_at is None or self._clock() - read_at >= seconds

    def _known(self, code: str) -> TrustCode | None:
        return self._changes.get(code) or (self._table.find(code) if self._table else None)

    def _row(self, code: str) -> TrustCode | None:
        known = self._known(code)
        if known is not None:
            return known
        try:
            return self._codes.find(code)  # issued since the last reading
        except (UserError, OSError) as error:
            raise UnavailableError(CANNOT_CHECK) from error

    def _fall(self, row: TrustCode, now: datetime) -> Fall:
        bound = self._bound
        restricted = row.key in bound.skus or row.supplier_id in bound.suppliers
        return Fall(now.astimezone(UTC).date() if restricted else None, bound.recalls.get(row.key))

    def _read(self, now: datetime) -> None:
        began, today = self._clock(), now.astimezone(UTC).date()
        inputs = self._newest(today)
        if inputs != self._inputs:
            self._bound = _bound_of(self._engine, today)
            withdraw_fallen(self._engine, now)
        name, newest = published_name(self._workspace), self._codes.newest_change()
        if name != self._name or newest < self._cursor:  # a newer publication, or another database in its place
            self._reopen(name, newest)
        for row in self._codes.changed_since(self._cursor) if newest > self._cursor else ():
            self._changes[row.code], self._cursor = row, max(self._cursor, row.ledger_row)
        self._signing_keys = self._keys.all()
        self._inputs, self._read_at = inputs, began

    def _reopen(self, name: str | None, newest: int) -> None:
        table = open_trust_table(self._workspace, name)
        if table is not None and table.content.ledger_row > newest:
            table = None  # of another database
        self._name, self._table, self._changes = name, table, {}
        self._cursor = table.content.ledger_row if table else 0

    def _newest(self, today: date) -> tuple[object, ...]:
        """What decides whether codes may have fallen: the newest decision and fact, and the day."""
        query = sa.select(sa.func.max(LEDGER.c.number)).where(LEDGER.c.action.in_(FACTS))
        with read_transaction(self._engine) as connection:
            newest_fact = connection.execute(query).scalar() or 0
        return decision_index(self._engine).cursor, newest_fact, today


def _bound_of(engine: sa.Engine, today: date) -> _Bound:
    policy = decision_policy_in_force(today)
    active = [
        each for each in decision_index(engine).all()
        if policy.restricts(each.decision.disposition)
        and (each.decision.state == PROPOSED or each.decision.is_in_force(today))
    ]  # fmt: skip
    recalls = (each for each in active if each.decision.disposition == RECALL and each.decision.state != PROPOSED)
    return _Bound(
        frozenset(each.decision.key for each in active),
        frozenset(each.decision.supplier_id for each in active
                  if each.decision.binds == "supplier" and each.decision.supplier_id),
        {each.decision.key: _recall(engine, each) for each in recalls},
    )  # fmt: skip


def _recall(engine: sa.Engine, active: ActiveDecision) -> Recall:
    """What the notice of a recall says; the hazard only where no appeal against the recall is open."""
    decision = active.decision
    since = date.fromisoformat(decision.since[:10])
    if active.open_appeals or decision.fact_row is None:
        return Recall(since, None)
    with read_transaction(engine) as connection:
        query = sa.select(DECISIONS.c.shown).where(DECISIONS.c.decision_id == decision.decision_id)
        shown = connection.execute(query).scalar()
    rows = read_context(shown).rows if shown else None
    hazards = (each.hazard for each in (rows.tests if rows else ()) if each.test_id == decision.fact_row)
    return Recall(since, hazard_phrases().get(next(hazards, None) or ""))


_REGISTERS: WeakKeyDictionary[sa.Engine, TrustRegister] = WeakKeyDictionary()
_REGISTERS_LOCK = threading.Lock()


def trust_register(engine: sa.Engine, workspace: Workspace) -> TrustRegister:
    """The register of a database, made once."""
    with _REGISTERS_LOCK:
        if engine not in _REGISTERS:
            _REGISTERS[engine] = TrustRegister(engine, workspace)
        return _REGISTERS[engine]
