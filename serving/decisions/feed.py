"""Changes of decisions in the order of the ledger, for those who follow them: listing control, webhooks."""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from data.database.connection import read_transaction
from data.database.schema import DECISIONS
from serving.decisions.policy import DecisionPolicy
from serving.decisions.records import Decision


@dataclass(frozen=True)
class DecisionChange:
    """The present state of a decision that changed; `cursor` is the ledger's row of its last change.

    `restricts` says whether the listing is to be held now: in force, and of a kind that restricts. `binds` is sku, or
    supplier where it holds for all SKUs of `supplier_id` in every market. `ends_on` is the last day of a pause, after
    which it holds no more without a further change. `replaces` names the decision that this one modifies.
    """

    cursor: int
    decision_id: str
    sku_id: str
    market: str
    supplier_id: str | None
    disposition: str
    binds: str
    state: str
    restricts: bool
    since: str
    ends_on: str | None
    ended_at: str | None
    replaces: str | None
    as_of: str
    model_version: str
    feature_version: str
    policy_version: str


def decision_changes(
    engine: sa.Engine, since: int, most: int, policy: DecisionPolicy, today: date
) -> list[DecisionChange]:
    """At most `most` decisions whose last change is a ledger row after `since`, in that order.

    A decision that changed several times comes once, with its last change.
    """
    columns = [column for column in DECISIONS.c if column.name != "shown"]
    query = sa.select(*columns).where(DECISIONS.c.ledger_row > since).order_by(DECISIONS.c.ledger_row).limit(most)
    with read_transaction(engine) as connection:
        decisions = [Decision(**row._mapping) for row in connection.execute(query)]
    return [_change(each, policy, today) for each in decisions]


def _change(decision: Decision, policy: DecisionPolicy, today: date) -> DecisionChange:
    return DecisionChange(
        cursor=decision.ledger_row, decision_id=decision.decision_id, sku_id=decision.sku_id, market=decision.market,
        supplier_id=decision.supplier_id, disposition=decision.disposition, binds=decision.binds, state=decision.state,
        restricts=decision.is_in_force(today) and policy.restricts(decision.disposition),
        since=decision.since, ends_on=decision.ends_on, ended_at=decision.ended_at, replaces=decision.replaces,
        as_of=decision.as_of, model_version=decision.model_version, feature_version=decision.feature_version,
        policy_version=decision.policy_version,
    )  # fmt: skip
