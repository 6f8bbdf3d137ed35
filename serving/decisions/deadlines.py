"""Deadlines in working days: the clocks that run on a case, and the day until which a seller may appeal."""

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from serving.decisions.days import long_date
from serving.decisions.legal_grounds import FAILED_TEST, ORDER, Ground
from serving.decisions.policy import ClockKind, DeadlineTerms
from serving.dossiers.records import Incident

SATURDAY = 5
APPEAL, DOCUMENTS, CORRECTIVE_ACTION = "appeal", "documents", "corrective_action"
NOTICE: ClockKind = "notice"
FAILED: ClockKind = "failed_test"
ORDERED: ClockKind = "authority_order"


@dataclass(frozen=True)
class ActionDeadline:
    """A running clock: the last day to act, why, its kind, and the row of the fact or notice that started it."""

    on: date
    why: str
    kind: str
    row_id: str


def add_working_days(day: date, working_days: int, holidays: Iterable[date] = ()) -> date:
    """The day that is `working_days` after `day`, which itself does not count."""
    closed = frozenset(holidays)
    while working_days > 0:
        day += timedelta(days=1)
        if day.weekday() < SATURDAY and day not in closed:
            working_days -= 1
    return day


def ground_deadline(ground: Ground, terms: DeadlineTerms) -> ActionDeadline | None:
    """The deadline that a legal ground starts: those of orders and failed tests."""
    since = long_date(ground.since)
    if ground.kind == ORDER:
        days, sentence = terms.authority_order, f"Order of {ground.author} received {since}: comply within"
    elif ground.kind == FAILED_TEST:
        days = terms.failed_test.after(ground.severity)
        sentence = f"Failed test known since {since}, {ground.severity or 'severity unknown'}: decide within"
    else:
        return None
    kind = ORDERED if ground.kind == ORDER else FAILED
    return ActionDeadline(
        add_working_days(ground.since, days, terms.holidays), f"{sentence} {_working_days(days)}.", kind, ground.row_id
    )


def notice_deadline(notice: Incident, terms: DeadlineTerms) -> ActionDeadline:
    """The deadline that a notice of a danger starts."""
    last = add_working_days(notice.known_on, terms.notice, terms.holidays)
    why = f"Notice received {long_date(notice.known_on)}: act within {_working_days(terms.notice)}."
    return ActionDeadline(last, why, NOTICE, notice.incident_id)


def add_months(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month where it has no such day."""
    years, month = divmod(day.month - 1 + months, 12)
    last = calendar.monthrange(day.year + years, month + 1)[1]
    return date(day.year + years, month + 1, min(day.day, last))


def _working_days(days: int) -> str:
    return f"{days} working day{'' if days == 1 else 's'}"
