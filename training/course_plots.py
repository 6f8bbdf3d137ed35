"""Pictures of what changes: with the number of labels, from period to period, between groups, and since training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.drift import Drift
from training.picture import ACCENT, INK, PALE, SECOND, axes_of, panels

SHOWN_DRIFTS = 20
Told = Mapping[str, Any]


def learning_curve(curve: Told) -> Figure:
    """AUC and failures found by the number of labels that taught, and what more tests would buy."""
    figure, places = panels(2, 1)
    for axes, name, label in zip(places, ("auc", "found"), ("AUC", f"Failures in {curve['tests']} tests"), strict=True):
        labels = [point["labels"] for point in curve["points"]]
        _with_interval(axes, labels, curve["points"], name)
        gained = curve.get(f"gain_{name}")
        if gained is not None:
            start = (labels[-1], curve["points"][-1][name])
            axes.plot([start[0], start[0] + curve["more"]], [start[1], start[1] + gained], color=SECOND, ls=":", lw=1.6)
            told = f"{gained:+.3f}" if name == "auc" else f"{gained:+.1f}"
            axes.set_title(f"{curve['more']} more labels: {told}", fontsize=10)
        axes.set(xlabel="Labels learned from", ylabel=label, xlim=(0, None))
    return figure


def periods(told: Sequence[Told], test: Told) -> Figure:
    """AUC and calibration slope of the procedure on each period, the test period last."""
    figure, places = panels(2, 1)
    rows = [*told, test]
    names = [*(each["from"][:7] for each in told), "test"]
    for axes, name, label in zip(places, ("auc", "slope"), ("AUC", "Calibration slope"), strict=True):
        _with_interval(axes, list(range(len(rows))), rows, name)
        axes.set_xticks(range(len(rows)), names, rotation=45, ha="right", fontsize=8)
        axes.set(ylabel=label)
        axes.axhline(0.5 if name == "auc" else 1.0, color=INK, lw=0.8, ls="--")
    return figure


def drift(found: Sequence[Drift], alarm: float, title: str) -> Figure:
    """The features that moved most, with the index from which a feature counts as shifted."""
    shown = list(found[:SHOWN_DRIFTS])[::-1]
    figure, axes = axes_of(7.4, 0.27 * max(len(shown), 3) + 1.3)
    sizes = [each.psi for each in shown]
    axes.barh([each.feature.replace("_", " ") for each in shown], sizes, height=0.7,
              color=[ACCENT if size > alarm else PALE for size in sizes])  # fmt: skip
    axes.axvline(alarm, color=INK, lw=0.8, ls="--")
    axes.tick_params(axis="y", labelsize=8)
    axes.set(xlabel="Population stability index", title=title, xlim=(0, max([1.3 * alarm, *sizes])))
    return figure


def groups(rows: Sequence[Told]) -> Figure:
    """Needless tests and missed failures of each group of sellers, with intervals."""
    shown = list(rows)[::-1]
    figure, places = panels(2, 1)
    figure.set_size_inches(9.6, 0.24 * max(len(shown), 3) + 1.4)
    names = [f"{str(row['dimension']).replace('_', ' ')}: {row['group']} ({row['n']:,})" for row in shown]
    for axes, name, label in zip(
        places, ("false_positive_rate", "expected_per_observed"),
        ("Compliant SKUs sent to a test", "Failures expected per observed"), strict=True,
    ):  # fmt: skip
        for place, row in enumerate(shown):
            if row.get(name) is None:
                continue
            low, high = row.get(f"{name}_interval") or (row[name], row[name])
            axes.plot([low, high], [place, place], color=PALE, lw=1.4)
            axes.plot(row[name], place, "o", color=ACCENT, ms=4)
        axes.set_yticks(range(len(names)), names if name == "false_positive_rate" else [], fontsize=8)
        axes.set(xlabel=label, ylim=(-0.6, len(names) - 0.4))
    places[1].axvline(1, color=INK, lw=0.8, ls="--")
    return figure


def _with_interval(axes: Axes, places: Sequence[float], rows: Sequence[Told], name: str) -> None:
    known = [(place, row) for place, row in zip(places, rows, strict=True) if row.get(name) is not None]
    values = np.array([row[name] for _, row in known])
    ends = np.array([row.get(f"{name}_interval") or (row[name], row[name]) for _, row in known]).reshape(-1, 2)
    noise = np.abs(ends.T - values)
    axes.errorbar([place for place, _ in known], values, noise, fmt="o-", ms=5, lw=1.3, capsize=2, color=ACCENT)
