"""HTML report of a simulation with plots, for readers with a budget."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from data.workspace import replace_atomically
from training.simulation.comparison import STRATEGIES, SimulationRun, interval, mean, ratio_of_findings
from training.simulation.strategies import PRICE_CENTS

INK, ACCENT, PALE = "#1f2933", "#1f5fa8", "#b6c2cf"
RACE_COLOURS = {"plan": ACCENT, "greedy": "#c2571a", "random": "#7b8794", "oracle": INK}


def findings_picture(by_name: Mapping[str, Sequence[SimulationRun]]) -> Figure:
    """Failures detected per 1,000 EUR by each strategy; the mean over worlds, and each world as a dot."""
    figure, axes = _axes(7.6, 0.42 * len(by_name) + 1.1)
    per_thousand = {
        name: np.array([1_000 * run.findings / run.cost_eur for run in own]) for name, own in by_name.items()
    }
    names = sorted(per_thousand, key=lambda name: float(per_thousand[name].mean()))
    for row, name in enumerate(names):
        values = per_thousand[name]
        axes.barh(row, values.mean(), color=ACCENT if name == "plan" else PALE, height=0.68)
        axes.plot(values, np.full(len(values), row), "o", ms=3, color=INK, alpha=0.5)
        axes.annotate(f"{values.mean():.2f}", (0, row), xytext=(5, 0), textcoords="offset points", va="center",
                      color="white" if name == "plan" else INK, fontweight="bold")  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="Failures found per 1,000 EUR of tests", title="What the same money finds")
    return figure


def race_picture(by_name: Mapping[str, Sequence[SimulationRun]]) -> Figure:
    """Cumulative findings by round; means over worlds."""
    figure, axes = _axes(7.6, 4.2)
    for name, colour in RACE_COLOURS.items():
        if name not in by_name:
            continue
        findings = (
            np.array([[each.findings for each in run.rounds] for run in by_name[name]]).cumsum(axis=1).mean(axis=0)
        )
        rounds = np.arange(1, len(findings) + 1)
        axes.plot(
            rounds, findings, color=colour, lw=2.4 if name == "plan" else 1.4, ls="--" if name == "oracle" else "-"
        )
        end = (rounds[-1], findings[-1])
        axes.annotate(name, end, xytext=(6, 0), textcoords="offset points", va="center", color=colour)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="Round", ylabel="Failures found so far", title="Failures found, round by round", ylim=(0, None))
    axes.set_xlim(1, None)
    return figure


def prevalence_picture(run: SimulationRun) -> Figure:
    """True prevalence and the estimate of each round of one world."""
    figure, axes = _axes(7.6, 4.0)
    rounds = np.arange(1, len(run.rounds) + 1)
    limits = np.array([interval(each) for each in run.rounds])
    estimates = np.array([float(each.estimate or 0.0) for each in run.rounds])
    axes.fill_between(rounds, 100 * limits[:, 0], 100 * limits[:, 1], color=ACCENT, alpha=0.15, lw=0,
                      label="95 % interval of one round")  # fmt: skip
    axes.plot(rounds, 100 * estimates, "o", color=ACCENT, ms=4.5, label="estimate of one round")
    axes.plot(rounds, [100 * each.prevalence for each in run.rounds], color=INK, lw=1.8, label="truth")
    axes.plot(rounds, [100 * each.model_mean for each in run.rounds], color="#c2571a", lw=1.2, ls=":",
              label="mean of the scores (no estimate)")  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="Round", ylabel="Failing SKUs, %", ylim=(0, None),
             title="How many SKUs of the catalogue fail: one world under the plan")  # fmt: skip
    axes.legend(frameon=False, fontsize=9, ncols=2, loc="upper center")
    axes.set_ylim(0, 1.25 * float(100 * limits.max()))
    return figure


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


PLAN, GREEDY, RANDOM, ORACLE = "plan", "greedy", "random", "oracle"


@dataclass(frozen=True)
class StrategyLine:
    """One strategy in the table, ready to print."""

    name: str
    meaning: str
    findings: str
    per_thousand: str
    times_random: str
    of_oracle: str
    off: str
    width: str


@dataclass(frozen=True)
class ReportPage:
    """Texts and table of the page."""

    scenario: str
    worlds: int
    rounds: int
    tests: int
    euros: str
    headline: str
    exploration: str
    money: str
    precision: str
    lines: tuple[StrategyLine, ...]


def write_report(runs: Sequence[SimulationRun], folder: Path) -> Path:
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
    environment = Environment(
        loader=PackageLoader("training.simulation", "."), autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
    )  # fmt: skip
    text = environment.get_template("report.html").render(
        page=_page(by_name), **{name: _embed(picture) for name, picture in pictures.items()}
    )
    with replace_atomically(target) as attempt:
        attempt.write_text(text, encoding="utf-8")
    return target


def headline(runs: Sequence[SimulationRun]) -> str:
    """Summary of the runs of one scenario in one paragraph."""
    page = _page(_by_name(runs))
    return " ".join((page.headline, page.exploration, page.precision))


def _by_name(runs: Sequence[SimulationRun]) -> dict[str, list[SimulationRun]]:
    names = dict.fromkeys(name for name in STRATEGIES if any(run.strategy == name for run in runs))
    return {name: [run for run in runs if run.strategy == name] for name in names}


def _page(by_name: dict[str, list[SimulationRun]]) -> ReportPage:
    plan = by_name[PLAN]
    rounds, tests = len(plan[0].rounds), plan[0].rounds[0].tests
    findings = {name: mean([run.findings for run in own]).value for name, own in by_name.items()}
    random, oracle = ratio_of_findings(plan, by_name[RANDOM]).value, ratio_of_findings(plan, by_name[ORACLE]).value
    return ReportPage(
        scenario=plan[0].scenario,
        worlds=len(plan),
        rounds=rounds,
        tests=tests,
        euros=f"{plan[0].cost_eur:,.0f}",
        headline=f"For the same money the plan found {random:.1f} times the failures that testing at random found, and "
        f"{oracle:.0%} of what someone would have found who knew every true risk.",
        exploration=_exploration(by_name, findings),
        money=_money(plan),
        precision=_precision(plan),
        lines=tuple(_line(name, own, by_name) for name, own in by_name.items()),
    )


def _exploration(by_name: dict[str, list[SimulationRun]], findings: dict[str, float]) -> str:
    price = 1 - findings[PLAN] / findings[GREEDY]
    blind = mean([float(run.model_errors().mean()) for run in by_name[GREEDY]]).value
    return (
        f"Testing only the riskiest would have found {findings[GREEDY]:,.0f} failures, the plan {findings[PLAN]:,.0f}: "
        f"keeping every SKU in play cost {price:.0%} of the findings. In return the plan knows how many SKUs fail. "
        f"Whoever tests only the riskiest does not: the mean of its own scores is off by {blind:+.0%}."
    )


def _money(plan: Sequence[SimulationRun]) -> str:
    rounds = [each for run in plan for each in run.rounds]
    promised = sum(each.plan_values["value"] for each in rounds)
    findings = sum(each.findings for each in rounds)
    average = findings / sum(run.cost_eur for run in plan)
    euro = float(np.mean([each.plan_values["euro"] for each in rounds])) * findings / promised
    return (
        f"1,000 EUR bought {1_000 * average:.2f} failures on average. 1,000 EUR more in a round would buy about "
        f"{1_000 * euro:.2f}, and one more laboratory slot of {PRICE_CENTS / 100:.0f} EUR about "
        f"{euro * PRICE_CENTS / 100:.2f}. That is the programme's shadow price, which counts a narrower estimate as "
        f"worth findings, scaled by what the tests found of what the scores promised ({findings / promised:.0%})."
    )


def _precision(plan: Sequence[SimulationRun]) -> str:
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


def _line(name: str, own: Sequence[SimulationRun], by_name: dict[str, list[SimulationRun]]) -> StrategyLine:
    findings = mean([run.findings / len(run.rounds) for run in own])
    spread = f" ± {findings.error:.0f}" if np.isfinite(findings.error) else ""
    estimates = own[0].estimates
    return StrategyLine(
        name=name,
        meaning=STRATEGIES[name].meaning,
        findings=f"{findings.value:.0f}{spread}",
        per_thousand=f"{1_000 * sum(run.findings for run in own) / sum(run.cost_eur for run in own):.2f}",
        times_random=f"{ratio_of_findings(own, by_name[RANDOM]).value:.2f}",
        of_oracle=f"{ratio_of_findings(own, by_name[ORACLE]).value:.0%}",
        off=f"{np.sqrt(np.mean([run.rmse() ** 2 for run in own])):.0%}" if estimates else "no estimate",
        width=f"{np.mean([run.half_width() for run in own]):.0%}" if estimates else "",
    )


def _embed(figure: Figure) -> str:
    file = BytesIO()
    figure.savefig(file, format="png", dpi=140, bbox_inches="tight", metadata={"Software": None})
    return base64.b64encode(file.getvalue()).decode("ascii")
