"""Blind assessment: in a few random cases of a scoring day an officer estimates before they see the score."""

import math
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from numpy.typing import NDArray

from data.database.audit_log import AuditEvent, Versions, record_event_in
from data.database.connection import read_transaction, write_transaction
from data.database.schema import DECISIONS, ESTIMATES
from data.errors import UserError
from features.snapshot.reader import Snapshot
from serving.decisions.policy import DecisionPolicy
from serving.decisions.rules import Signature

ESTIMATORS = ("officer", "admin")
"""The roles that give own estimates; others see every score and order tests at once."""


ROWS_AT_ONCE = 65_536
STRATA = 2
"""Flagged cases and all others; half of the draw is of each, so that being drawn says little about the score."""


@dataclass(frozen=True)
class Case:
    """A SKU in a market on the day of its score; `stratum_size` cases, flagged or not like it, were scored that day."""

    sku_id: str
    market: str
    as_of: date
    stratum_size: int = 1

    @property
    def subject(self) -> str:
        """The SKU as the subject of ledger rows."""
        return f"{self.sku_id} {self.market}"


@dataclass(frozen=True)
class EstimateDraw:
    """Whether a case was drawn, and its inclusion probability."""

    drawn: bool
    probability: float


def draw_for_estimate(case: Case, policy: DecisionPolicy) -> EstimateDraw:
    """Draw whether this case needs an own estimate, by a permanent random number: a digest of salt and case."""
    probability = draw_probability(case.stratum_size, policy)
    return EstimateDraw(_uniform_number(case.sku_id, case.market, case.as_of, policy) < probability, probability)


def draw_probability(stratum_size: int, policy: DecisionPolicy) -> float:
    """The probability with which each case of a stratum is drawn, so that few are expected on one scoring day."""
    terms = policy.own_estimate
    return min(terms.share, terms.cases_per_day / STRATA / max(stratum_size, 1))


def draw_cases(snapshot: Snapshot, flagged: NDArray[np.bool_], policy: DecisionPolicy) -> NDArray[np.bool_]:
    """Boolean array over the rows of a snapshot: the cases that `draw_for_estimate` draws; `flagged` is their mask."""
    count = int(flagged.sum())
    probability = np.where(flagged, draw_probability(count, policy), draw_probability(len(flagged) - count, policy))
    numbers = [_uniform_numbers(snapshot.keys(start, start + ROWS_AT_ONCE), snapshot.as_of, policy)
               for start in range(0, len(snapshot), ROWS_AT_ONCE)]  # fmt: skip
    return np.concatenate([np.empty(0), *numbers]) < probability


def _uniform_numbers(keys: pa.Table, as_of: date, policy: DecisionPolicy) -> NDArray[np.float64]:
    """The `_uniform_number` of every case of `keys`."""
    cases = pc.binary_join_element_wise(
        policy.own_estimate.salt, keys["sku_id"], keys["market"], as_of.isoformat(), "\0"
    )
    digests = b"".join(sha256(case).digest()[:8] for case in cases.cast(pa.binary()).to_pylist())
    return np.frombuffer(digests, ">u8") / 2.0**64


def _uniform_number(sku_id: str, market: str, as_of: date, policy: DecisionPolicy) -> float:
    """The permanent random number of a case, uniform on [0, 1)."""
    text = "\0".join([policy.own_estimate.salt, sku_id, market, as_of.isoformat()])
    return int.from_bytes(sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64


def estimate_is_due(engine: sa.Engine, case: Case, key_id: str, policy: DecisionPolicy) -> bool:
    """Whether the score stays hidden from the holder of this key until they give an estimate."""
    if not draw_for_estimate(case, policy).drawn:
        return False
    with read_transaction(engine) as connection:
        return estimate_of(connection, case, key_id) is None and not has_decided(connection, case, key_id)


def has_decided(connection: sa.Connection, case: Case, key_id: str) -> bool:
    """Whether the holder of this key proposed or settled a decision on the SKU, and so knows a score of it."""
    table = DECISIONS.c
    own = sa.or_(table.proposer_key == key_id, table.settler_key == key_id)
    query = sa.select(table.decision_id).where(table.sku_id == case.sku_id, table.market == case.market, own)
    return connection.execute(query.limit(1)).first() is not None


def record_estimate(
    engine: sa.Engine, case: Case, estimate: float, signature: Signature, policy: DecisionPolicy
) -> float:
    """Store an officer's estimate of the probability of a failed test, unless they gave one; return the stored one.

    Raises UserError where it is no probability.
    """
    officer = signature.officer
    if not (math.isfinite(estimate) and 0 <= estimate <= 1):
        raise UserError(
            f"An estimate is between 0 and 100 percent, got {estimate:.0%}. Give how many of 100 would fail."
        )
    draw = draw_for_estimate(case, policy)
    with write_transaction(engine) as connection:
        before = estimate_of(connection, case, officer.key_id)
        if before is not None:
            return before
        content = {"estimate": estimate, "as_of": case.as_of.isoformat(), "key": officer.key_id,
                   "draw_probability": draw.probability, "drawn": draw.drawn}  # fmt: skip
        row = record_event_in(
            connection,
            AuditEvent(officer.name, "estimate", case.subject, content, Versions(policy=policy.version)),
            signature.at,
        )
        connection.execute(sa.insert(ESTIMATES).values(
            sku_id=case.sku_id, market=case.market, as_of=case.as_of.isoformat(), key_id=officer.key_id,
            officer=officer.name, estimate=estimate, draw_probability=draw.probability, given_at=row.recorded_at,
        ))  # fmt: skip
        return estimate


def estimate_of(connection: sa.Connection, case: Case, key_id: str) -> float | None:
    """The stored estimate of this case by the holder of this key, None where there is none."""
    table = ESTIMATES.c
    mine = sa.and_(table.sku_id == case.sku_id, table.market == case.market,
                   table.as_of == case.as_of.isoformat(), table.key_id == key_id)  # fmt: skip
    estimate: float | None = connection.execute(sa.select(table.estimate).where(mine)).scalar_one_or_none()
    return estimate
