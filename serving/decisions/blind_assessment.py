"""In which cases an officer says what they expect before they see the score: a draw, the same whenever it is asked."""

import math
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from data.database.audit_log import AuditEvent, Versions, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import ESTIMATES
from data.errors import UserError
from features.snapshot.reader import Snapshot
from serving.decisions.policy import DecisionPolicy
from serving.decisions.rules import Officer

ESTIMATORS = ("officer", "admin")
"""The roles that are asked for an own estimate; others see every score and order tests at once."""


@dataclass(frozen=True)
class Case:
    """A SKU in a market, as scored on one day."""

    sku_id: str
    market: str
    as_of: date

    @property
    def subject(self) -> str:
        """How the ledger names the SKU."""
        return f"{self.sku_id} {self.market}"


@dataclass(frozen=True)
class Draw:
    """Whether the case was drawn, and the probability with which it could have been."""

    drawn: bool
    probability: float


def drawn_for_estimate(case: Case, policy: DecisionPolicy) -> Draw:
    """Draw whether this case asks for an own estimate; the number drawn is a digest of salt and case."""
    share = policy.own_estimate.share
    return Draw(_number(case.sku_id, case.market, case.as_of, policy) < share, share)


def drawn_cases(snapshot: Snapshot, policy: DecisionPolicy) -> NDArray[np.bool_]:
    """Which rows of a snapshot are cases that `drawn_for_estimate` draws."""
    keys = snapshot.keys(0, len(snapshot))
    pairs = zip(keys["sku_id"].to_pylist(), keys["market"].to_pylist(), strict=True)
    numbers = (_number(sku_id, market, snapshot.as_of, policy) for sku_id, market in pairs)
    return np.fromiter(numbers, np.float64, len(snapshot)) < policy.own_estimate.share


def _number(sku_id: str, market: str, as_of: date, policy: DecisionPolicy) -> float:
    """A number from 0 to 1, even over all cases."""
    told = "\0".join([policy.own_estimate.salt, sku_id, market, as_of.isoformat()])
    return int.from_bytes(sha256(told.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64


def estimate_is_due(engine: sa.Engine, case: Case, key_id: str, policy: DecisionPolicy) -> bool:
    """Whether the score of the case stays hidden from whoever holds this key until they say what they expect."""
    if not drawn_for_estimate(case, policy).drawn:
        return False
    with read_transaction(engine) as connection:
        return estimate_of(connection, case, key_id) is None


def give_estimate(
    engine: sa.Engine, case: Case, officer: Officer, said: tuple[float, datetime], policy: DecisionPolicy
) -> float:
    """Keep what the officer expects (`said`: probability of a failed test from 0 to 1, and now); the first one stays.

    Returns the estimate that is kept. Raises UserError where it is no probability.
    """
    estimate, now = said
    if not (math.isfinite(estimate) and 0 <= estimate <= 1):
        raise UserError(
            f"An estimate is between 0 and 100 percent, got {estimate:.0%}. Give how many of 100 would fail."
        )
    draw = drawn_for_estimate(case, policy)
    with write_transaction(engine) as connection:
        before = estimate_of(connection, case, officer.key_id)
        if before is not None:
            return before
        content = {"estimate": estimate, "as_of": case.as_of.isoformat(), "key": officer.key_id,
                   "draw_probability": draw.probability, "drawn": draw.drawn}  # fmt: skip
        row = record_event_in(
            connection,
            AuditEvent(officer.name, "estimate", case.subject, content, Versions(policy=policy.version)),
            now,
        )
        connection.execute(sa.insert(ESTIMATES).values(
            sku_id=case.sku_id, market=case.market, as_of=case.as_of.isoformat(), key_id=officer.key_id,
            officer=officer.name, estimate=estimate, draw_probability=draw.probability, given_at=row.recorded_at,
        ))  # fmt: skip
        return estimate


def estimate_of(connection: sa.Connection, case: Case, key_id: str) -> float | None:
    """What was expected of this case by whoever holds this key."""
    table = ESTIMATES.c
    mine = sa.and_(table.sku_id == case.sku_id, table.market == case.market,
                   table.as_of == case.as_of.isoformat(), table.key_id == key_id)  # fmt: skip
    found: float | None = connection.execute(sa.select(table.estimate).where(mine)).scalar_one_or_none()
    return found
