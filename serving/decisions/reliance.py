"""What officers expected before they saw the score."""

import math
from datetime import datetime

import sqlalchemy as sa

from data.database.audit_log import Deed, Versions, record_with
from data.database.connection import reading, writing
from data.database.schema import ESTIMATES
from data.errors import Refusal
from serving.decisions.own_estimate import Case, drawn_for_estimate
from serving.decisions.policy import DecisionPolicy
from serving.decisions.rules import Officer


def estimate_is_due(engine: sa.Engine, case: Case, key_id: str, policy: DecisionPolicy) -> bool:
    """Whether the score of the case stays hidden from whoever holds this key until they say what they expect."""
    if not drawn_for_estimate(case, policy).drawn:
        return False
    with reading(engine) as connection:
        return estimate_of(connection, case, key_id) is None


def give_estimate(
    engine: sa.Engine, case: Case, officer: Officer, said: tuple[float, datetime], policy: DecisionPolicy
) -> float:
    """Keep what the officer expects (`said`: probability of a failed test from 0 to 1, and now); the first one stays.

    Returns the estimate that is kept. Raises Refusal where it is no probability.
    """
    estimate, now = said
    if not (math.isfinite(estimate) and 0 <= estimate <= 1):
        raise Refusal(f"An estimate is between 0 and 100 percent, got {estimate:.0%}. Give how many of 100 would fail.")
    draw = drawn_for_estimate(case, policy)
    with writing(engine) as connection:
        before = estimate_of(connection, case, officer.key_id)
        if before is not None:
            return before
        content = {"estimate": estimate, "as_of": case.as_of.isoformat(), "key": officer.key_id,
                   "draw_probability": draw.probability, "drawn": draw.drawn}  # fmt: skip
        row = record_with(
            connection, Deed(officer.name, "estimate", case.subject, content, Versions(policy=policy.version)), now
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
