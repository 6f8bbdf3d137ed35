"""The day on which the time to appeal against a decision begins: that on which its statement of reasons was sent."""

from datetime import date

import sqlalchemy as sa

from data.database.connection import read_transaction
from data.database.schema import LETTERS
from serving.letters.facts import STATEMENTS


def appeal_period_starts(engine: sa.Engine, decision_id: str) -> date | None:
    """The day on which the statement of a decision was sent; None before: the time to appeal has not begun."""
    statements = [each.value for each in STATEMENTS]
    of_decision = sa.and_(
        LETTERS.c.about == decision_id, LETTERS.c.kind.in_(statements), LETTERS.c.sent_at.is_not(None)
    )
    with read_transaction(engine) as connection:
        sent_at = connection.execute(sa.select(sa.func.min(LETTERS.c.sent_at)).where(of_decision)).scalar()
    return date.fromisoformat(sent_at[:10]) if sent_at else None
