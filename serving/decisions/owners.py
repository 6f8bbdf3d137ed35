"""Whose case a SKU is."""

from datetime import datetime

import sqlalchemy as sa

from data.database.audit_log import Deed, record_with
from data.database.connection import reading, writing
from data.database.schema import ASSIGNMENTS
from data.errors import Refusal
from serving.decisions.rules import Officer

LONGEST_NAME = 80


def assign(engine: sa.Engine, sku: tuple[str, str], owner: str, officer: Officer, now: datetime) -> None:
    """Give the case of a SKU (sku_id, market) to `owner`; an empty name gives it to nobody."""
    (sku_id, market), owner = sku, owner.strip()
    if len(owner) > LONGEST_NAME:
        raise Refusal(f"The name of an owner has {len(owner)} characters. Use at most {LONGEST_NAME}.")
    mine = sa.and_(ASSIGNMENTS.c.sku_id == sku_id, ASSIGNMENTS.c.market == market)
    with writing(engine) as connection:
        deed = Deed(officer.name, "assign", f"{sku_id} {market}", {"owner": owner or None, "key": officer.key_id})
        row = record_with(connection, deed, now)
        connection.execute(sa.delete(ASSIGNMENTS).where(mine))
        if owner:
            connection.execute(sa.insert(ASSIGNMENTS).values(
                sku_id=sku_id, market=market, owner=owner, assigned_by=officer.name, assigned_at=row.recorded_at,
            ))  # fmt: skip


def owner_of(engine: sa.Engine, sku_id: str, market: str) -> str | None:
    """Whose case a SKU is; None where nobody's."""
    mine = sa.and_(ASSIGNMENTS.c.sku_id == sku_id, ASSIGNMENTS.c.market == market)
    with reading(engine) as connection:
        found: str | None = connection.execute(sa.select(ASSIGNMENTS.c.owner).where(mine)).scalar_one_or_none()
    return found


def owners(engine: sa.Engine, owner: str | None = None) -> dict[tuple[str, str], str]:
    """The owner of every SKU that has one, by (sku_id, market); those of one owner where a name is given."""
    asked = sa.select(ASSIGNMENTS.c.sku_id, ASSIGNMENTS.c.market, ASSIGNMENTS.c.owner)
    if owner is not None:
        asked = asked.where(ASSIGNMENTS.c.owner == owner)
    with reading(engine) as connection:
        return {(row.sku_id, row.market): row.owner for row in connection.execute(asked)}
