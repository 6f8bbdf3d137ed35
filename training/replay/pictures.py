"""The pictures of a replay: findings by strategy, the race over the rounds, the prevalence with its interval."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.replay.summary import Run, interval

INK, ACCENT, PALE = "#1f2933", "#1f5fa8", "#b6c2cf"
RACED = {"plan": ACCENT, "greedy": "#c2571a", "random": "#7b8794", "oracle": INK}


def findings_picture(by_name: Mapping[str, Sequence[Run]]) -> Figure:
    """Failures found per 1,000 EUR by each strategy; the mean over worlds, and each world as a dot."""
    figure, axes = _axes(7.6, 0.42 * len(by_name) + 1.1)
    per_thousand = {name: np.array([1_000 * run.found / run.cost_eur for run in own]) for name, own in by_name.items()}
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


def race_picture(by_name: Mapping[str, Sequence[Run]]) -> Figure:
    """Failures found so far, round by round; means over worlds."""
    figure, axes = _axes(7.6, 4.2)
    for name, colour in RACED.items():
        if name not in by_name:
            continue
        found = np.array([[each.found for each in run.rounds] for run in by_name[name]]).cumsum(axis=1).mean(axis=0)
        rounds = np.arange(1, len(found) + 1)
        axes.plot(rounds, found, color=colour, lw=2.4 if name == "plan" else 1.4, ls="--" if name == "oracle" else "-")
        end = (rounds[-1], found[-1])
        axes.annotate(name, end, xytext=(6, 0), textcoords="offset points", va="center", color=colour)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="Round", ylabel="Failures found so far", title="Failures found, round by round", ylim=(0, None))
    axes.set_xlim(1, None)
    return figure


def prevalence_picture(run: Run) -> Figure:
    """The truth, and what each round of one world said of it."""
    figure, axes = _axes(7.6, 4.0)
    rounds = np.arange(1, len(run.rounds) + 1)
    limits = np.array([interval(each) for each in run.rounds])
    told = np.array([float(each.estimate or 0.0) for each in run.rounds])
    axes.fill_between(rounds, 100 * limits[:, 0], 100 * limits[:, 1], color=ACCENT, alpha=0.15, lw=0,
                      label="95 % interval of one round")  # fmt: skip
    axes.plot(rounds, 100 * told, "o", color=ACCENT, ms=4.5, label="estimate of one round")
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
