"""Totals of a catalogue on the day of its scores, and the KPIs made of them; small counts give no KPI."""

import json
from dataclasses import asdict, dataclass
from datetime import date
from math import sqrt
from pathlib import Path
from typing import Any

from data.errors import UserError
from data.workspace import Workspace, replace_atomically

Z_95 = 1.959964
MIN_COUNT = 20
"""Counts below this are not given as a share."""


@dataclass(frozen=True)
class Rate:
    """`part` of `whole`, with the interval of Wilson (1927, doi:10.1080/01621459.1927.10502953) at 95 %."""

    part: int
    whole: int

    @property
    def is_reportable(self) -> bool:
        """Whether the count is large enough to be given as a share."""
        return self.whole >= MIN_COUNT

    @property
    def value(self) -> float:
        """The share; 0 where the whole is 0."""
        return self.part / self.whole if self.whole else 0.0

    @property
    def low(self) -> float:
        """The lower end."""
        return max(self._middle - self._half, 0.0)

    @property
    def high(self) -> float:
        """The upper end."""
        return min(self._middle + self._half, 1.0)

    def holds(self, share: float) -> bool:
        """Whether another share lies within the interval."""
        return self.low <= share <= self.high

    @property
    def _spread(self) -> float:
        return Z_95**2 / self.whole if self.whole else 1.0

    @property
    def _middle(self) -> float:
        return (self.value + self._spread / 2) / (1 + self._spread) if self.whole else 0.5

    @property
    def _half(self) -> float:
        if not self.whole:
            return 0.5
        inner = self.value * (1 - self.value) / self.whole + self._spread / (4 * self.whole)
        return Z_95 * sqrt(inner) / (1 + self._spread)


MIN_UNITS = 1_000
MIN_TESTS = 20
MIN_CASES = 10


@dataclass(frozen=True)
class MonthTotals:
    """What happened in one calendar month over the whole catalogue; `month` is its first day.

    `hazard_mentions` is None where nobody read the reviews for hazards.
    """

    month: date
    units: int
    returned_units: int
    safety_returned_units: int
    reviews: int
    hazard_mentions: int | None
    incidents: int
    holds: int


@dataclass(frozen=True)
class LabTotals:
    """Independent tests and those of samples that suppliers handed in, each with its failures; the first cost money."""

    independent: int
    failed: int
    critical: int
    cost_eur: float
    given: int
    given_failed: int


@dataclass(frozen=True)
class SelectionOutcome:
    """Independent tests that passed or failed, of SKUs chosen by one strategy: their number, failures and cost."""

    strategy: str
    tests: int
    failed: int
    cost_eur: float

    @property
    def hit_rate(self) -> Rate:
        """Failures found per test."""
        return Rate(self.failed, self.tests)

    @property
    def per_1000_eur(self) -> float | None:
        """Failures found per 1,000 EUR of tests; None where there are too few tests or none has a price."""
        is_reportable = self.cost_eur > 0 and self.tests >= MIN_TESTS
        return 1000 * self.failed / self.cost_eur if is_reportable else None


@dataclass(frozen=True)
class RelistingCounts:
    """Of `removals` at least `days` old: how many had such a listing in the same market within so many days after.

    `same_title` counts listings with the same words in their title, `linked` those of the same category and the same
    supplier or factory; `linked_before` counts these in as many days before the removal, to compare with.
    """

    days: int
    removals: int
    same_title: int
    linked: int
    linked_before: int


@dataclass(frozen=True)
class KpiTotals:
    """All totals; `exposed_units` were sold in the last three months of SKUs with a failed independent test.

    `certificates` counts them by standing status; `actions_due` are corrective actions whose day has come, and
    `actions_in_time` those of them verified by it; `chosen` has the outcomes of the last year's tests by
    strategy, `relisted` the listings like those that an authority held.
    """

    as_of: date
    fingerprint: str
    skus: int
    months: tuple[MonthTotals, ...]
    tests: LabTotals
    exposed_units: int
    recent_units: int
    certificates: dict[str, int]
    actions_due: int
    actions_in_time: int
    chosen: tuple[SelectionOutcome, ...]
    relisted: tuple[RelistingCounts, ...]

    def chosen_by(self, strategy: str) -> SelectionOutcome | None:
        """The outcomes of one strategy; None where there are no tests."""
        return next((each for each in self.chosen if each.strategy == strategy), None)

    @property
    def return_rate(self) -> float | None:
        """Units returned per unit sold over three matured months: the newest month still awaits its returns."""
        matured = self.months[-4:-1]
        return rate(sum(each.returned_units for each in matured), sum(each.units for each in matured), MIN_UNITS)

    @property
    def incidents_per_100k(self) -> float | None:
        """Incidents per 100,000 units sold over twelve months."""
        year = self.months[-12:]
        share = rate(sum(each.incidents for each in year), sum(each.units for each in year), MIN_UNITS)
        return None if share is None else 1e5 * share

    @property
    def holds_per_10k(self) -> float | None:
        """Holds per 10,000 units sold over twelve months; units stand for shipments, which are not in the tables."""
        year = self.months[-12:]
        share = rate(sum(each.holds for each in year), sum(each.units for each in year), MIN_UNITS)
        return None if share is None else 1e4 * share

    @property
    def exposure(self) -> float | None:
        """The share of units of the last three months that SKUs with a failed independent test sold."""
        return rate(self.exposed_units, self.recent_units, MIN_UNITS)

    @property
    def golden_gap(self) -> float | None:
        """Failed share of independent tests minus that of samples that suppliers handed in."""
        own = rate(self.tests.failed, self.tests.independent, MIN_TESTS)
        given = rate(self.tests.given_failed, self.tests.given, MIN_TESTS)
        return None if own is None or given is None else own - given

    @property
    def cost_per_critical_eur(self) -> float | None:
        """Euros of independent tests per critical failure found."""
        return self.tests.cost_eur / self.tests.critical if self.tests.critical >= MIN_CASES else None

    @property
    def confirmed_share(self) -> float | None:
        """Certificates that their issuer confirmed, of all that stand."""
        return rate(self.certificates.get("confirmed", 0), sum(self.certificates.values()), MIN_TESTS)

    @property
    def in_time_share(self) -> float | None:
        """Corrective actions verified by their day, of those whose day has come."""
        return rate(self.actions_in_time, self.actions_due, MIN_CASES)


def rate(part: float, whole: float, fewest: float) -> float | None:
    """`part` per `whole`, None where the whole is less than `fewest`."""
    return part / whole if whole >= fewest else None


def kpi_file(workspace: Workspace, as_of: date) -> Path:
    """The file of one day."""
    return workspace.reports / f"indicators-{as_of.isoformat()}.json"


def save_totals(workspace: Workspace, totals: KpiTotals) -> Path:
    """Write the totals of a day, in place of earlier ones; return their file."""
    path = kpi_file(workspace, totals.as_of)
    with replace_atomically(path) as attempt:
        attempt.write_text(json.dumps(asdict(totals), indent=1, default=date.isoformat) + "\n", encoding="utf-8")
    return path


def read_totals(workspace: Workspace, as_of: date) -> KpiTotals:
    """The totals of a day; UserError where there are none, or they cannot be read."""
    path = kpi_file(workspace, as_of)
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        months = tuple(
            MonthTotals(**{**each, "month": date.fromisoformat(each["month"])}) for each in values.pop("months")
        )
        day, tests = date.fromisoformat(values.pop("as_of")), LabTotals(**values.pop("tests"))
        chosen = tuple(SelectionOutcome(**each) for each in values.pop("chosen"))
        relisted = tuple(RelistingCounts(**each) for each in values.pop("relisted"))
        return KpiTotals(as_of=day, months=months, tests=tests, chosen=chosen, relisted=relisted, **values)
    except FileNotFoundError as error:
        raise UserError(f"Nothing was counted for {as_of} yet. Run `touchstone score`.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read: {error}. Run `touchstone score`.") from error
