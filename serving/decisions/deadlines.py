"""By when something has to be done: working days, and the day until which a seller may appeal."""

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from serving.decisions.policy import Clocks
from serving.decisions.rules import GroundInForce

SATURDAY = 5


@dataclass(frozen=True)
class Due:
    """The last day to act, and the sentence that says why."""

    on: date
    why: str


def working_day_after(day: date, working_days: int, holidays: Iterable[date] = ()) -> date:
    """The day that is so many working days after `day`, which itself does not count."""
    closed = frozenset(holidays)
    while working_days > 0:
        day += timedelta(days=1)
        if day.weekday() < SATURDAY and day not in closed:
            working_days -= 1
    return day


def due(facts: Sequence[GroundInForce], notices: Sequence[date], clocks: Clocks, decided_on: date | None) -> Due | None:
    """The first deadline that still runs, None where none does.

    `notices` are the days on which reports of danger became known; what became known before `decided_on`, the day of
    the last decision, was answered by it.
    """
    running = []
    for fact in facts:
        if fact.kind == "authority_order" and _is_open(fact.since, decided_on):
            days = clocks.authority_order
            by = working_day_after(fact.since, days, clocks.holidays)
            running.append(Due(by, f"Authority's order known since {fact.since}: {days} working days."))
    for known_on in notices:
        if _is_open(known_on, decided_on):
            by = working_day_after(known_on, clocks.notice, clocks.holidays)
            running.append(Due(by, f"Notice of a danger known since {known_on}: {clocks.notice} working days."))
    return min(running, key=lambda each: each.on, default=None)


def months_after(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month where it has no such day."""
    years, month = divmod(day.month - 1 + months, 12)
    last = calendar.monthrange(day.year + years, month + 1)[1]
    return date(day.year + years, month + 1, min(day.day, last))


def _is_open(known_on: date, decided_on: date | None) -> bool:
    return decided_on is None or known_on > decided_on
