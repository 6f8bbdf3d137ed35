"""Deadlines in working days, and the day until which a seller may appeal."""

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from serving.decisions.legal_grounds import ORDER, Ground
from serving.decisions.policy import DeadlineTerms

SATURDAY = 5


@dataclass(frozen=True)
class ActionDeadline:
    """The last day to act, and the sentence that says why."""

    on: date
    why: str


def add_working_days(day: date, working_days: int, holidays: Iterable[date] = ()) -> date:
    """The day that is `working_days` after `day`, which itself does not count."""
    closed = frozenset(holidays)
    while working_days > 0:
        day += timedelta(days=1)
        if day.weekday() < SATURDAY and day not in closed:
            working_days -= 1
    return day


def first_deadline(
    grounds: Sequence[Ground], notices: Sequence[date], terms: DeadlineTerms, decided_on: date | None
) -> ActionDeadline | None:
    """The earliest running deadline, None where none runs.

    `notices` are the days on which reports of danger became known. The last decision, on `decided_on`, ends the
    deadlines of everything known by that day.
    """
    running = []
    for ground in grounds:
        if ground.kind == ORDER and _is_open(ground.since, decided_on):
            days = terms.authority_order
            last = add_working_days(ground.since, days, terms.holidays)
            running.append(ActionDeadline(last, f"Authority's order known since {ground.since}: {days} working days."))
    for known_on in notices:
        if _is_open(known_on, decided_on):
            last = add_working_days(known_on, terms.notice, terms.holidays)
            running.append(
                ActionDeadline(last, f"Notice of a danger known since {known_on}: {terms.notice} working days.")
            )
    return min(running, key=lambda each: each.on, default=None)


def add_months(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month where it has no such day."""
    years, month = divmod(day.month - 1 + months, 12)
    last = calendar.monthrange(day.year + years, month + 1)[1]
    return date(day.year + years, month + 1, min(day.day, last))


def _is_open(known_on: date, decided_on: date | None) -> bool:
    return decided_on is None or known_on > decided_on
