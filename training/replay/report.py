"""The report of a replay: one HTML page with pictures that a person with a budget understands."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape
from matplotlib.figure import Figure

from data.workspace import replacing
from training.replay.contestants import CONTESTANTS
from training.replay.packages import PRICE_CENTS
from training.replay.pictures import findings_picture, prevalence_picture, race_picture
from training.replay.summary import Run, mean, ratio_of_found

PLAN, GREEDY, RANDOM, ORACLE = "plan", "greedy", "random", "oracle"


@dataclass(frozen=True)
class Line:
    """One strategy in the table, ready to print."""

    name: str
    meaning: str
    found: str
    per_thousand: str
    times_random: str
    of_oracle: str
    off: str
    width: str


@dataclass(frozen=True)
class Page:
    """What the page says besides its pictures."""

    scenario: str
    worlds: int
    rounds: int
    tests: int
    euros: str
    headline: str
    exploration: str
    money: str
    precision: str
    lines: tuple[Line, ...]


def write_report(runs: Sequence[Run], folder: Path) -> Path:
    """Write `replay-<scenario>.html` for the runs of one scenario into `folder`; return the file.

    `runs` hold the strategies plan, greedy, random and oracle at least, each in the same worlds.
    """
    target = folder / f"replay-{runs[0].scenario}.html"
    by_name = _by_name(runs)
    pictures = {
        "findings": findings_picture(by_name),
        "race": race_picture(by_name),
        "prevalence": prevalence_picture(by_name[PLAN][0]),
    }
    environment = Environment(loader=PackageLoader("training.replay", "."), autoescape=select_autoescape(["html"]))
    text = environment.get_template("report.html").render(
        page=_page(by_name), **{name: _embedded(picture) for name, picture in pictures.items()}
    )
    with replacing(target) as attempt:
        attempt.write_text(text, encoding="utf-8")
    return target


def headline(runs: Sequence[Run]) -> str:
    """What the runs of one scenario amount to, in one paragraph."""
    page = _page(_by_name(runs))
    return " ".join((page.headline, page.exploration, page.precision))


def _by_name(runs: Sequence[Run]) -> dict[str, list[Run]]:
    names = dict.fromkeys(name for name in CONTESTANTS if any(run.strategy == name for run in runs))
    return {name: [run for run in runs if run.strategy == name] for name in names}


def _page(by_name: dict[str, list[Run]]) -> Page:
    plan = by_name[PLAN]
    rounds, tests = len(plan[0].rounds), plan[0].rounds[0].tests
    found = {name: mean([run.found for run in own]).value for name, own in by_name.items()}
    random, oracle = ratio_of_found(plan, by_name[RANDOM]).value, ratio_of_found(plan, by_name[ORACLE]).value
    return Page(
        scenario=plan[0].scenario,
        worlds=len(plan),
        rounds=rounds,
        tests=tests,
        euros=f"{plan[0].cost_eur:,.0f}",
        headline=f"For the same money the plan found {random:.1f} times the failures that testing at random found, and "
        f"{oracle:.0%} of what someone would have found who knew every true risk.",
        exploration=_exploration(by_name, found),
        money=_money(plan),
        precision=_precision(plan),
        lines=tuple(_line(name, own, by_name) for name, own in by_name.items()),
    )


def _exploration(by_name: dict[str, list[Run]], found: dict[str, float]) -> str:
    price = 1 - found[PLAN] / found[GREEDY]
    blind = mean([float(run.model_errors().mean()) for run in by_name[GREEDY]]).value
    return (
        f"Testing only the riskiest would have found {found[GREEDY]:,.0f} failures, the plan {found[PLAN]:,.0f}: "
        f"keeping every SKU in play cost {price:.0%} of the findings. In return the plan knows how many SKUs fail. "
        f"Whoever tests only the riskiest does not: the mean of its own scores is off by {blind:+.0%}."
    )


def _money(plan: Sequence[Run]) -> str:
    rounds = [each for run in plan for each in run.rounds]
    promised = sum(each.told["value"] for each in rounds)
    found = sum(each.found for each in rounds)
    average = found / sum(run.cost_eur for run in plan)
    euro = float(np.mean([each.told["euro"] for each in rounds])) * found / promised
    return (
        f"1,000 EUR bought {1_000 * average:.2f} failures on average. 1,000 EUR more in a round would buy about "
        f"{1_000 * euro:.2f}, and one more laboratory slot of {PRICE_CENTS / 100:.0f} EUR about "
        f"{euro * PRICE_CENTS / 100:.2f}. That is the programme's shadow price, which counts a narrower estimate as "
        f"worth findings, scaled by what the tests found of what the scores promised ({found / promised:.0%})."
    )


def _precision(plan: Sequence[Run]) -> str:
    truth = np.mean([each.prevalence for run in plan for each in run.rounds])
    error = np.sqrt(np.mean([float(run.rmse()) ** 2 for run in plan]))
    pooled = np.concatenate([run.pooled_errors() for run in plan])
    covered = np.mean([inside for run in plan for inside in run.covered()])
    text = (
        f"On average {truth:.1%} of the SKUs fail. One round's estimate is typically off by {error:.0%} of that; "
        f"its 95 % interval held the truth in {covered:.0%} of the rounds."
    )
    if len(pooled):
        text += f" Four rounds together are typically off by {np.sqrt((pooled**2).mean()):.0%}."
    return text


def _line(name: str, own: Sequence[Run], by_name: dict[str, list[Run]]) -> Line:
    found = mean([run.found / len(run.rounds) for run in own])
    spread = f" ± {found.error:.0f}" if np.isfinite(found.error) else ""
    estimates = own[0].estimates
    return Line(
        name=name,
        meaning=CONTESTANTS[name].meaning,
        found=f"{found.value:.0f}{spread}",
        per_thousand=f"{1_000 * sum(run.found for run in own) / sum(run.cost_eur for run in own):.2f}",
        times_random=f"{ratio_of_found(own, by_name[RANDOM]).value:.2f}",
        of_oracle=f"{ratio_of_found(own, by_name[ORACLE]).value:.0%}",
        off=f"{np.sqrt(np.mean([run.rmse() ** 2 for run in own])):.0%}" if estimates else "no estimate",
        width=f"{np.mean([run.half_width() for run in own]):.0%}" if estimates else "",
    )


def _embedded(figure: Figure) -> str:
    file = BytesIO()
    figure.savefig(file, format="png", dpi=140, bbox_inches="tight", metadata={"Software": None})
    return base64.b64encode(file.getvalue()).decode("ascii")
