"""Counters of the cases that wait for somebody: the first figures of the overview."""

from dataclasses import dataclass

import numpy as np

from serving.console.blinding import find_positions
from serving.console.case import decisions_of
from serving.console.context import AppContext
from serving.console.pages.queue_views import CatalogueDeadlines
from serving.decisions.appeals import appeals
from serving.online.store import OnlineStore
from serving.review_queue.format import QueueEvidence, QueueQuery

RESTRICTING = ("pause", "remove", "suspend", "recall")


@dataclass(frozen=True)
class CaseCounters:
    """Numbers of cases: `failed_on_sale` failed a test and are not restricted, `overdue` have a deadline that is due.

    `letters_to_send` is None where letters are not sent from here.
    """

    failed_on_sale: int
    overdue: int
    awaiting_approval: int
    appeals_due: int
    letters_to_send: int | None = None


def count_cases(context: AppContext, store: OnlineStore) -> CaseCounters:
    """Count the cases of a publication on the day."""
    decisions = decisions_of(context)
    restricted = [each.key for each in decisions.in_force(context.now().date()) if each.disposition in RESTRICTING]
    failed = store.queue.positions(store.queue.find(QueueQuery(evidence=QueueEvidence.FAILED)))
    on_sale = np.setdiff1d(failed, find_positions(store, restricted))
    return CaseCounters(
        failed_on_sale=len(on_sale), overdue=len(CatalogueDeadlines(context, store).due_today()),
        awaiting_approval=len(decisions.waiting()),
        appeals_due=sum(each.outcome is None for each in appeals(context.engine)),
    )  # fmt: skip
