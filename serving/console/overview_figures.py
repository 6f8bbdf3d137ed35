"""The figures of the overview that are made of decisions and rounds when somebody looks."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import pyarrow.compute as pc

from data.lake.lab_results import accepted_results
from data.workspace import Workspace
from sampling.rounds import round_record
from serving.console.casework import decisions_of, policy_today
from serving.console.house import House
from serving.decisions.appeals import appeals
from serving.decisions.record import IN_FORCE, PROPOSED, Decision
from serving.indicators.figures import FEWEST_CASES, rate
from serving.indicators.relisting import Relisted, relisted
from serving.indicators.take_down import TakeDown, take_down
from serving.published import Published

FEWEST_RESULTS = 10
REMOVING = ("remove", "suspend", "recall")
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Found:
    """What a round found per 1,000 EUR; `failures` None while too few results are in to say."""

    round_id: str
    expected: float
    at_random: float
    failures: float | None
    results: int
    tests: int


@dataclass(frozen=True)
class Decided:
    """How decisions stand; shares are None where too few carry them."""

    in_force: int
    waiting: int
    gentler: int
    harder: int
    appeals: int
    answered: int
    overturned: float | None
    agreement: float | None


@dataclass(frozen=True)
class Removed:
    """The restrictions of the last year that rest on a fact: how long they took, and whether their offers came back."""

    count: int
    take_down: TakeDown
    relisted: tuple[Relisted, ...]


def found(workspace: Workspace, round_id: str) -> Found:
    """Per 1,000 EUR of the tests whose results are in; expectations are those of the whole plan."""
    record, results = round_record(workspace, round_id), accepted_results(workspace)
    mine = results.filter(pc.equal(results["round_id"], round_id))
    per_1000 = 1000 / record["cost_eur"] if record["cost_eur"] else 0.0
    failed = pc.sum(pc.equal(mine["result"], "fail")).as_py() or 0
    share_in = len(mine) / record["tests"] if record["tests"] else 0.0
    told = failed * per_1000 / share_in if len(mine) >= FEWEST_RESULTS else None
    return Found(
        round_id, record["expected_failures"] * per_1000, record["expected_failures_at_random"] * per_1000, told,
        len(mine), record["tests"],
    )  # fmt: skip


def decided(house: House) -> Decided:
    """How decisions and appeals stand."""
    tally, filed = decisions_of(house).tally(), appeals(house.engine)
    answered = [each for each in filed if each.outcome is not None]
    as_asked, gentler, harder = (tally.get((IN_FORCE, name), 0) for name in ("as_asked", "gentler", "harder"))
    in_force = as_asked + gentler + harder
    waiting = sum(count for (state, _), count in tally.items() if state == PROPOSED)
    return Decided(
        in_force, waiting, gentler, harder, len(filed), len(answered),
        rate(sum(each.outcome == "reversed" for each in answered), len(answered), FEWEST_CASES),
        rate(as_asked, in_force, FEWEST_CASES),
    )  # fmt: skip


def removed(house: House, published: Published) -> Removed:
    """The restrictions in force since a year."""
    since = house.now().date() - YEAR
    done = decisions_of(house).done(REMOVING, since)
    places = _places(published, done)
    again = _relisted(published.dossiers.folder, places, published.publication.as_of) if places else ()
    return Removed(len(done), take_down(done, policy_today(house).clocks), again)


def _places(published: Published, done: list[Decision]) -> tuple[tuple[int, date], ...]:
    """The SKUs of the catalogue that were taken down, by place, each with the first day."""
    places = published.snapshot.find([each.sku_id for each in done], [each.market for each in done]).tolist()
    days = [date.fromisoformat(each.since[:10]) for each in done]
    first = sorted(((place, day) for place, day in zip(places, days, strict=True) if place >= 0), reverse=True)
    return tuple(sorted(dict(first).items()))


@lru_cache(maxsize=4)
def _relisted(dossiers: Path, removals: tuple[tuple[int, date], ...], as_of: date) -> tuple[Relisted, ...]:
    """Kept, since it reads every title of the catalogue; dossiers never change."""
    return relisted(dossiers, dict(removals), as_of)
