"""Numbers of what sellers and shoppers sent and nobody answered yet, for the navigation."""

from collections.abc import Mapping

import sqlalchemy as sa

from data.database.connection import read_transaction
from data.database.notice_schema import NOTICES
from data.database.schema import DECISION_FACTS, DECISIONS
from data.database.seller_schema import CORRECTIVE_ACTIONS, COUNTER_SAMPLES
from serving.decisions.records import IN_FORCE
from serving.seller.corrective_actions import OUR_TURN
from serving.seller.counter_samples import ASKED


def count_inbox(engine: sa.Engine) -> Mapping[str, int]:
    """`from_sellers`: corrective actions and counter-samples to answer; `from_shoppers`: cases of notices to decide."""
    actions = sa.select(sa.func.count()).where(CORRECTIVE_ACTIONS.c.state.in_(OUR_TURN)).scalar_subquery()
    samples = sa.select(sa.func.count()).where(COUNTER_SAMPLES.c.state == ASKED).scalar_subquery()
    same = DECISIONS.c.decision_id == DECISION_FACTS.c.decision_id
    decided = sa.select(DECISION_FACTS.c.row_id).join(DECISIONS, same).where(DECISIONS.c.state == IN_FORCE)
    is_decided = decided.where(DECISION_FACTS.c.row_id == NOTICES.c.case_id).exists()
    cases = sa.select(sa.func.count(NOTICES.c.case_id.distinct())).where(~is_decided).scalar_subquery()
    with read_transaction(engine) as connection:
        sellers, shoppers = connection.execute(sa.select(actions + samples, cases)).one()
    return {"from_sellers": int(sellers), "from_shoppers": int(shoppers)}
