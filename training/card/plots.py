"""Plots of ranking and calibration: reliability, gain and lift; the style of all plots."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.metrics import Floats, Truths

INK, ACCENT, SECOND, PALE, GROUND = "#1f2933", "#b4540a", "#1d6f8a", "#9aa5b1", "#f0f2f5"


@contextmanager
def plot_style() -> Iterator[None]:
    """Context in which figures have the common fonts and lines."""
    with mpl.rc_context({
        "font.size": 10, "axes.titlesize": 11, "axes.titlelocation": "left", "axes.spines.top": False,
        "axes.spines.right": False, "axes.edgecolor": INK, "text.color": INK, "axes.labelcolor": INK,
        "legend.frameon": False,
    }):  # fmt: skip
        yield


def axes_of(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of `width` by `height` inches and its one pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def panels(columns: int, rows: int) -> tuple[Figure, list[Axes]]:
    """A figure with `columns` by `rows` axes, row by row."""
    figure = Figure(figsize=(3.6 * columns, 2.9 * rows), layout="constrained")
    return figure, [figure.add_subplot(rows, columns, position + 1) for position in range(columns * rows)]


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG without a trace of when and by what it was made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, bbox_inches="tight", metadata={"Software": None})


BINS = 10
RANDOM_BINS = 5
MAIN = "model"


@dataclass(frozen=True)
class ReliabilityCurve:
    """Predicted probability, outcome and weight of each test (n,)."""

    p_fail: Floats
    failed: Truths
    weight: Floats


def reliability(p_fail: Mapping[str, Floats], failed: Truths, at_random: Floats, p_catalogue: Floats) -> Figure:
    """Reliability diagram of the tests as chosen and of the random ones.

    `p_fail` are one or two kinds of the model's probabilities by name (n each), the main one last, and `failed` the
    outcomes (n); `at_random` weighs the random stratum (n, 0 outside of it), whose probabilities are `p_catalogue` (n).
    """
    figure, axes = axes_of(6.6, 5.4)
    highest = 0.0
    for (name, predicted), colour in zip(p_fail.items(), (PALE, ACCENT)[-len(p_fail) :], strict=True):
        curve = ReliabilityCurve(predicted, failed, np.ones(len(predicted)))
        highest = max(highest, _reliability_line(axes, curve, BINS, colour, name))
    sampled = at_random > 0
    if sampled.sum() >= 2 * RANDOM_BINS:
        label = f"{sampled.sum():,} random tests, probability for the catalogue"
        curve = ReliabilityCurve(p_catalogue[sampled], failed[sampled], at_random[sampled])
        highest = max(highest, _reliability_line(axes, curve, RANDOM_BINS, SECOND, label))
    end = min(1.0, 1.05 * highest)
    axes.plot([0, end], [0, end], color=INK, lw=0.8, ls="--", label="calibrated")
    axes.set(xlim=(0, end), ylim=(0, end), xlabel="Predicted probability of failing", ylabel="Share that failed",
             title=f"Do the probabilities hold? {len(failed):,} tests in bins of equal size")  # fmt: skip
    axes.legend(loc="upper left", fontsize=9)
    return figure


def gain(margins: Mapping[str, Floats], failed: Truths, budget: int) -> Figure:
    """Cumulative gain: share of failures detected by share of tests made, riskiest first, with budget and hindsight.

    `margins` holds the margins (n) by name, the model under "model"; `budget` is a number of tests.
    """
    figure, axes = axes_of(6.8, 5.4)
    share = np.arange(len(failed) + 1) / len(failed)
    hindsight = np.minimum(share / max(failed.mean(), 1e-9), 1)
    axes.fill_between(share, hindsight, share, color=GROUND, lw=0)
    axes.plot(share, hindsight, color=INK, lw=1.1, label="hindsight (oracle)")
    for name, margin in _informative(margins):
        _line(axes, name, share, _cumulative_failures(margin, failed) / max(failed.sum(), 1))
    axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls="--", label="random")
    _mark_budget(axes, budget, len(failed))
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="Share of tests made, riskiest first",
             ylabel="Share of failures found", title="Failures found; rankings can reach the grey area")  # fmt: skip
    axes.legend(loc="lower right", fontsize=9)
    return figure


def lift(margins: Mapping[str, Floats], failed: Truths, budget: int) -> Figure:
    """Lift: fail rate of the riskiest share in multiples of that of all tests, for the arguments of `gain`."""
    figure, axes = axes_of(6.8, 4.6)
    depth = np.arange(1, len(failed) + 1)
    visible = depth >= min(20, len(failed))
    base_rate = max(failed.mean(), 1e-9)
    hindsight = np.minimum(depth, failed.sum()) / depth / base_rate
    axes.plot(depth[visible] / len(failed), hindsight[visible], color=INK, lw=1.1, label="hindsight (oracle)")
    for name, margin in _informative(margins):
        height = _cumulative_failures(margin, failed)[1:] / depth / base_rate
        _line(axes, name, depth[visible] / len(failed), height[visible])
    axes.axhline(1, color=INK, lw=0.8, ls="--", label="random")
    _mark_budget(axes, budget, len(failed))
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel="Share of tests made, riskiest first",
             ylabel="Times the fail rate of all tests", title=f"Lift; {base_rate:.0%} of all tests failed")  # fmt: skip
    axes.legend(loc="upper right", fontsize=9)
    return figure


def _reliability_line(axes: Axes, curve: ReliabilityCurve, bins: int, colour: str, name: str) -> float:
    """Draw one curve with 95 % binomial bars; return its highest end."""
    p_fail, failed, weight = curve.p_fail, curve.failed, curve.weight
    parts = np.array_split(np.argsort(p_fail, kind="stable"), min(bins, len(p_fail)))
    expected = np.array([np.average(p_fail[part], weights=weight[part]) for part in parts])
    observed = np.array([np.average(failed[part], weights=weight[part]) for part in parts])
    effective = np.array([weight[part].sum() ** 2 / (weight[part] ** 2).sum() for part in parts])
    noise = 1.96 * np.sqrt(expected * (1 - expected) / effective)
    axes.errorbar(expected, observed, noise, fmt="o-", ms=5, lw=1.3, capsize=2, color=colour, label=name)
    return float(max(expected.max(), (observed + noise).max()))


def _informative(margins: Mapping[str, Floats]) -> list[tuple[str, Floats]]:
    return [(name, margin) for name, margin in margins.items() if np.ptp(margin) > 0]


def _cumulative_failures(margin: Floats, failed: Truths) -> Floats:
    return np.asarray(np.r_[0, np.cumsum(failed[np.argsort(-margin, kind="stable")])], dtype=np.float64)


def _line(axes: Axes, name: str, share: Floats, height: Floats) -> None:
    main = name == MAIN
    axes.plot(share, height, lw=2.2 if main else 1.1, color=ACCENT if main else None, label=name.replace("_", " "),
              zorder=3 if main else 2, alpha=1 if main else 0.8)  # fmt: skip


def _mark_budget(axes: Axes, budget: int, count: int) -> None:
    tests = min(budget, count)
    axes.axvline(tests / count, color=SECOND, lw=1.2, ls=":", label=f"budget: {tests:,} tests")
