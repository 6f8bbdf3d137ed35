"""Two years of a SKU as a picture: sales, returns and hazards by month, and what happened on which day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from serving.dossiers.dossier import Dossier, Month

WIDTH, HEIGHT = 720.0, 96.0
"""Of the plot of sales, in the units of the picture."""


@dataclass(frozen=True)
class Bar:
    """One month: its place, the height of its sales, of its returns, and what it counts."""

    x: float
    width: float
    sold: float
    returned: float
    month: Month


@dataclass(frozen=True)
class Moment:
    """Something that happened on a day: what kind of row, its tone (good, warn, bad), in words, and its place."""

    on: date
    kind: str
    tone: str
    words: str
    x: float


@dataclass(frozen=True)
class Timeline:
    """The months, the days, and the years' marks; `most_units` is what the highest bar stands for."""

    bars: tuple[Bar, ...]
    moments: tuple[Moment, ...]
    years: tuple[tuple[float, int], ...]
    most_units: int


TRACKS = ("test", "certificate", "hold", "incident")
"""The rows of moments below the months."""


def timeline_of(dossier: Dossier) -> Timeline:
    """The timeline of a dossier; what happened before its months is left to the tables."""
    months = dossier.months
    step = WIDTH / max(len(months), 1)
    most = max((month.units for month in months), default=0)
    bars = tuple(
        Bar(
            round(step * number + 1, 1), round(step - 2, 1), _height(month.units, most),
            _height(min(month.returned_units, most), most), month,
        )
        for number, month in enumerate(months)
    )  # fmt: skip
    start = months[0].month if months else dossier.as_of
    days = max((dossier.as_of - start).days, 1)
    moments = tuple(
        Moment(on, kind, tone, words, round(WIDTH * (on - start).days / days, 1))
        for on, kind, tone, words in sorted(_happened(dossier))
        if on >= start
    )
    years = tuple((bar.x, bar.month.month.year) for bar in bars if bar.month.month.month == 1)
    return Timeline(bars, moments, years, most)


def _height(units: int, most: int) -> float:
    return round(HEIGHT * units / most, 1) if most else 0.0


def _happened(dossier: Dossier) -> Iterator[tuple[date, str, str, str]]:
    for test in dossier.tests:
        own = "" if test.independent else ", supplier-provided: not counted"
        tone = {"pass": "good", "fail": "bad"}.get(test.result, "warn") if test.independent else "warn"
        yield test.happened_on, "test", tone, f"test {test.result}{own}"
    for each in dossier.certificates:
        tone = {"confirmed": "good", "claimed": "warn", "expired": "warn"}.get(each.status, "bad")
        yield each.happened_on, "certificate", tone, f"certificate {each.status.replace('_', ' ')}"
    for hold in dossier.holds:
        yield hold.happened_on, "hold", "bad", f"{hold.kind or 'hold'} by {hold.authority or 'unknown'}"
    for incident in dossier.incidents:
        yield incident.happened_on, "incident", "bad", f"incident: {(incident.hazard or 'hazard').replace('_', ' ')}"
