"""Plots of explanations, learning curve, backtest periods, drift and groups of sellers."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.card.plots import ACCENT, INK, PALE, SECOND, axes_of, panels
from training.evaluation.drift import Drift
from training.metrics import Floats

TOP_FEATURES = 15
TOP_DEPENDENCES = 6
MOST_ROWS = 2000
LABEL = "Contribution to the margin (log-odds)"


def beeswarm(contributions: Floats, matrix: Floats, names: Sequence[str]) -> Figure:
    """Each row's contributions (n, f) of the strongest features as dots, coloured by the features' values (n, f)."""
    shap = _shap()
    explanation = _explanation(shap, contributions, matrix, names)
    figure, axes = axes_of(8.6, 0.36 * min(TOP_FEATURES, len(names)) + 1.6)
    with _same_order():
        shap.plots.beeswarm(explanation, max_display=TOP_FEATURES, ax=axes, show=False, plot_size=None, s=9)
    axes.set_xlabel(LABEL, fontsize=10)
    axes.tick_params(labelsize=9)
    axes.set_title("What the scores are made of", fontsize=11)
    return figure


def dependence(contributions: Floats, matrix: Floats, names: Sequence[str]) -> Figure:
    """How the contribution of each of the strongest features depends on its value."""
    shap = _shap()
    explanation = _explanation(shap, contributions, matrix, names)
    known = np.flatnonzero((~np.isnan(matrix)).sum(axis=0) > 1)
    strongest = known[np.argsort(-np.abs(contributions).mean(axis=0)[known], kind="stable")][:TOP_DEPENDENCES]
    figure, axes_list = panels(3, -(-max(len(strongest), 1) // 3))
    dots = {"color": ACCENT, "x_jitter": 0, "dot_size": 8, "hist": False}
    for axes, column in zip(axes_list, strongest, strict=False):
        with _same_order():
            shap.plots.scatter(explanation[:, int(column)], ax=axes, show=False, **dots)
        axes.set_xlabel(names[column].replace("_", " "), fontsize=9)
        axes.set_ylabel("log-odds", fontsize=9)
        axes.tick_params(labelsize=8)
    for axes in axes_list[len(strongest) :]:
        axes.set_axis_off()
    figure.suptitle("Contribution by value of the strongest features", fontsize=11)
    return figure


def _shap() -> ModuleType:
    with warnings.catch_warnings():
        # shap 0.51 prepares its colour maps by a call that matplotlib will drop some day.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        import shap
    return cast("ModuleType", shap)


def _explanation(shap: ModuleType, contributions: Floats, matrix: Floats, names: Sequence[str]) -> Any:
    rows = np.linspace(0, len(matrix) - 1, min(len(matrix), MOST_ROWS)).astype(int)
    values = matrix[rows]
    # The library takes quantiles of every column, and one that nobody knows has none.
    values[:, np.isnan(values).all(axis=0)] = 0.0
    labels, zero = [name.replace("_", " ") for name in names], np.zeros(len(rows))
    return shap.Explanation(values=contributions[rows], base_values=zero, data=values, feature_names=labels)


@contextmanager
def _same_order() -> Iterator[None]:
    """The library orders and spreads its dots by numpy's global generator; equal runs must give equal pictures."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


TOP_DRIFTS = 20
JsonObject = Mapping[str, Any]


def learning_curve(curve: JsonObject) -> Figure:
    """AUC and failures detected by the number of training labels, with the extrapolated gain of more."""
    figure, axes_list = panels(2, 1)
    names = {"auc": "AUC", "found": f"Failures in {curve['tests']} tests"}
    for axes, (name, label) in zip(axes_list, names.items(), strict=True):
        labels = [point["labels"] for point in curve["points"]]
        _with_interval(axes, labels, curve["points"], name)
        gained = curve.get(f"gain_{name}")
        if gained is not None:
            start = (labels[-1], curve["points"][-1][name])
            axes.plot([start[0], start[0] + curve["more"]], [start[1], start[1] + gained], color=SECOND, ls=":", lw=1.6)
            change = f"{gained:+.3f}" if name == "auc" else f"{gained:+.1f}"
            axes.set_title(f"{curve['more']} more labels: {change}", fontsize=10)
        axes.set(xlabel="Labels learned from", ylabel=label, xlim=(0, None))
    return figure


def periods(earlier: Sequence[JsonObject], test: JsonObject) -> Figure:
    """AUC and calibration slope of the procedure on each period, the test period last."""
    figure, axes_list = panels(2, 1)
    rows = [*earlier, test]
    names = [*(each["from"][:7] for each in earlier), "test"]
    for axes, name, label in zip(axes_list, ("auc", "slope"), ("AUC", "Calibration slope"), strict=True):
        _with_interval(axes, list(range(len(rows))), rows, name)
        axes.set_xticks(range(len(rows)), names, rotation=45, ha="right", fontsize=8)
        axes.set(ylabel=label)
        axes.axhline(0.5 if name == "auc" else 1.0, color=INK, lw=0.8, ls="--")
    return figure


def drift(drifts: Sequence[Drift], alarm: float, title: str) -> Figure:
    """The features that moved most, with the index from which a feature counts as shifted."""
    visible = list(drifts[:TOP_DRIFTS])[::-1]
    figure, axes = axes_of(7.4, 0.27 * max(len(visible), 3) + 1.3)
    sizes = [each.psi for each in visible]
    axes.barh([each.feature.replace("_", " ") for each in visible], sizes, height=0.7,
              color=[ACCENT if size > alarm else PALE for size in sizes])  # fmt: skip
    axes.axvline(alarm, color=INK, lw=0.8, ls="--")
    axes.tick_params(axis="y", labelsize=8)
    axes.set(xlabel="Population stability index", title=title, xlim=(0, max([1.3 * alarm, *sizes])))
    return figure


def groups(rows: Sequence[JsonObject]) -> Figure:
    """Needless tests and missed failures of each group of sellers, with intervals."""
    visible = list(rows)[::-1]
    figure, axes_list = panels(2, 1)
    figure.set_size_inches(9.6, 0.24 * max(len(visible), 3) + 1.4)
    names = [f"{str(row['dimension']).replace('_', ' ')}: {row['group']} ({row['n']:,})" for row in visible]
    for axes, name, label in zip(
        axes_list, ("false_positive_rate", "expected_per_observed"),
        ("Compliant SKUs sent to a test", "Failures expected per observed"), strict=True,
    ):  # fmt: skip
        for position, row in enumerate(visible):
            if row.get(name) is None:
                continue
            low, high = row.get(f"{name}_interval") or (row[name], row[name])
            axes.plot([low, high], [position, position], color=PALE, lw=1.4)
            axes.plot(row[name], position, "o", color=ACCENT, ms=4)
        axes.set_yticks(range(len(names)), names if name == "false_positive_rate" else [], fontsize=8)
        axes.set(xlabel=label, ylim=(-0.6, len(names) - 0.4))
    axes_list[1].axvline(1, color=INK, lw=0.8, ls="--")
    return figure


def _with_interval(axes: Axes, positions: Sequence[float], rows: Sequence[JsonObject], name: str) -> None:
    known = [(position, row) for position, row in zip(positions, rows, strict=True) if row.get(name) is not None]
    values = np.array([row[name] for _, row in known])
    ends = np.array([row.get(f"{name}_interval") or (row[name], row[name]) for _, row in known]).reshape(-1, 2)
    noise = np.abs(ends.T - values)
    axes.errorbar([position for position, _ in known], values, noise, fmt="o-", ms=5, lw=1.3, capsize=2, color=ACCENT)
