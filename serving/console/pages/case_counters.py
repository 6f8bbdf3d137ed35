"""Counters of the cases that wait for somebody: the first figures of the overview."""

from dataclasses import dataclass

from serving.console.case import catalogue_cases_of, decisions_of
from serving.console.context import AppContext
from serving.decisions.appeals import appeals
from serving.online.store import OnlineStore


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
    cases = catalogue_cases_of(context, store)
    return CaseCounters(
        failed_on_sale=len(cases.failed_on_sale), overdue=len(cases.due),
        awaiting_approval=len(decisions_of(context).waiting()),
        appeals_due=sum(each.outcome is None for each in appeals(context.engine)),
    )  # fmt: skip
