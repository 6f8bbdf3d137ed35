"""Pictures of an evaluation: reliability, gain and what the scores are made of."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.metrics import Floats, Truths

INK, ACCENT, PALE = "#1f2933", "#b4540a", "#9aa5b1"
SHOWN_FEATURES = 20
BINS = 10


def draw_plots(claims: Mapping[str, Floats], p_fail: Mapping[str, Floats], failed: Truths,
               contributions: Mapping[str, float], folder: Path) -> None:  # fmt: skip
    """Write `reliability.png`, `gain.png` and `contributions.png` into `folder`.

    `claims` holds the margins (n) by name, the model under "model"; `p_fail` the model's probabilities before and
    after calibration; `contributions` the mean absolute contribution by feature, largest first.
    """
    with mpl.rc_context({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}):
        _save(_reliability(p_fail, failed), folder / "reliability.png")
        _save(_gain(claims, failed), folder / "gain.png")
        _save(_contributions(contributions), folder / "contributions.png")


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=120, bbox_inches="tight", metadata={"Software": None})


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _reliability(p_fail: Mapping[str, Floats], failed: Truths) -> Figure:
    figure, axes = _axes(6.2, 5.2)
    highest = 0.0
    for (name, told), colour in zip(p_fail.items(), (PALE, ACCENT), strict=True):
        parts = np.array_split(np.argsort(told, kind="stable"), min(BINS, len(told)))
        expected = np.array([told[part].mean() for part in parts])
        observed = np.array([failed[part].mean() for part in parts])
        noise = np.array([np.sqrt(told[part].mean() * (1 - told[part].mean()) / len(part)) for part in parts])
        axes.errorbar(expected, observed, 1.96 * noise, fmt="o-", ms=5, lw=1.2, capsize=2, color=colour, label=name)
        highest = max(highest, float(expected.max()), float((observed + 1.96 * noise).max()))
    end = min(1.0, 1.05 * highest)
    axes.plot([0, end], [0, end], color=INK, lw=0.8, ls="--", label="calibrated")
    axes.set(xlim=(0, end), ylim=(0, end), xlabel="Predicted probability of failing", ylabel="Share that failed",
             title=f"Reliability in {BINS} bins of equal size, {len(failed):,} tests")  # fmt: skip
    axes.legend(frameon=False, loc="upper left")
    return figure


def _gain(claims: Mapping[str, Floats], failed: Truths) -> Figure:
    figure, axes = _axes(6.6, 5.2)
    share = np.arange(len(failed) + 1) / len(failed)
    axes.fill_between(share, np.minimum(share / max(failed.mean(), 1e-9), 1), share, color="#f0f2f5", lw=0)
    for name, margin in claims.items():
        if np.ptp(margin) == 0:
            continue
        gained = np.r_[0, np.cumsum(failed[np.argsort(-margin, kind="stable")])] / max(failed.sum(), 1)
        main = name == "model"
        label = name.replace("_", " ")
        axes.plot(share, gained, lw=2.2 if main else 1.1, color=ACCENT if main else None, label=label,
                  zorder=3 if main else 2, alpha=1 if main else 0.8)  # fmt: skip
    axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls="--", label="random")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="Share of tests, riskiest first", ylabel="Share of failures found",
             title="Failures found; the grey area is what any ranking can reach")  # fmt: skip
    axes.legend(frameon=False, loc="lower right")
    return figure


def _contributions(contributions: Mapping[str, float]) -> Figure:
    strongest = list(contributions.items())[:SHOWN_FEATURES][::-1]
    figure, axes = _axes(7.2, 0.28 * len(strongest) + 1.2)
    axes.barh([name for name, _ in strongest], [size for _, size in strongest], color=ACCENT, height=0.7)
    axes.set(xlabel="Mean absolute contribution to the margin (log-odds)", title="What the scores are made of")
    return figure
