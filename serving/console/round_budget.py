"""The budget of the newest round, which the tests that officers order one by one or many at once share."""

from dataclasses import dataclass

from sampling.rounds import round_record
from serving.console.context import AppContext
from serving.console.pages.queue_views import newest_round
from serving.decisions.cases import ORDER_TEST
from serving.decisions.index import decision_index
from serving.decisions.records import IN_FORCE
from serving.online.store import OnlineStore


@dataclass(frozen=True)
class RoundBudget:
    """The budget of the newest round of the day in service; `left_eur` after its plan and the tests ordered since.

    `unplanned_eur` is what its plan left over, for all tests that officers order.
    """

    round_id: str
    budget_eur: float
    unplanned_eur: float
    left_eur: float


def round_budget(context: AppContext, store: OnlineStore) -> RoundBudget | None:
    """The budget of the round of the day in service; None where none was drawn for it."""
    as_of = store.publication.as_of
    round_id = newest_round(context.settings.workspace, as_of)
    if round_id is None:
        return None
    record = round_record(context.settings.workspace, round_id)
    in_force = [each.decision for each in decision_index(context.engine).all() if each.decision.state == IN_FORCE]
    ordered = [d.cost_eur or 0.0 for d in in_force if d.disposition == ORDER_TEST and d.as_of == as_of.isoformat()]
    budget = float(record["budget_eur"])
    unplanned = budget - float(record["cost_eur"])
    return RoundBudget(round_id, budget, unplanned, unplanned - sum(ordered))
