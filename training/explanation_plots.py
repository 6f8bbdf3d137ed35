"""Pictures of what scores are made of: the shap library draws the contributions that the house's own engine found."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

import numpy as np
from matplotlib.figure import Figure

from training.metrics import Floats
from training.picture import ACCENT, axes_of, panels

SHOWN_FEATURES = 15
SHOWN_DEPENDENCES = 6
MOST_ROWS = 2000
LABEL = "Contribution to the margin (log-odds)"


def beeswarm(explained: Floats, matrix: Floats, names: Sequence[str]) -> Figure:
    """Each row's contributions (n, f) of the strongest features as dots, coloured by the features' values (n, f)."""
    shap = _shap()
    explanation = _explanation(shap, explained, matrix, names)
    figure, axes = axes_of(8.6, 0.36 * min(SHOWN_FEATURES, len(names)) + 1.6)
    with _same_order():
        shap.plots.beeswarm(explanation, max_display=SHOWN_FEATURES, ax=axes, show=False, plot_size=None, s=9)
    axes.set_xlabel(LABEL, fontsize=10)
    axes.tick_params(labelsize=9)
    axes.set_title("What the scores are made of", fontsize=11)
    return figure


def dependence(explained: Floats, matrix: Floats, names: Sequence[str]) -> Figure:
    """How the contribution of each of the strongest features depends on its value."""
    shap = _shap()
    explanation = _explanation(shap, explained, matrix, names)
    known = np.flatnonzero((~np.isnan(matrix)).sum(axis=0) > 1)
    strongest = known[np.argsort(-np.abs(explained).mean(axis=0)[known], kind="stable")][:SHOWN_DEPENDENCES]
    figure, places = panels(3, -(-max(len(strongest), 1) // 3))
    dots = {"color": ACCENT, "x_jitter": 0, "dot_size": 8, "hist": False}
    for axes, column in zip(places, strongest, strict=False):
        with _same_order():
            shap.plots.scatter(explanation[:, int(column)], ax=axes, show=False, **dots)
        axes.set_xlabel(names[column].replace("_", " "), fontsize=9)
        axes.set_ylabel("log-odds", fontsize=9)
        axes.tick_params(labelsize=8)
    for axes in places[len(strongest) :]:
        axes.set_axis_off()
    figure.suptitle("Contribution by value of the strongest features", fontsize=11)
    return figure


def _shap() -> ModuleType:
    with warnings.catch_warnings():
        # shap 0.51 prepares its colour maps by a call that matplotlib will drop some day.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        import shap
    return cast("ModuleType", shap)


def _explanation(shap: ModuleType, explained: Floats, matrix: Floats, names: Sequence[str]) -> Any:
    rows = np.linspace(0, len(matrix) - 1, min(len(matrix), MOST_ROWS)).astype(int)
    values = matrix[rows]
    # The library takes quantiles of every column, and one that nobody knows has none.
    values[:, np.isnan(values).all(axis=0)] = 0.0
    told, zero = [name.replace("_", " ") for name in names], np.zeros(len(rows))
    return shap.Explanation(values=explained[rows], base_values=zero, data=values, feature_names=told)


@contextmanager
def _same_order() -> Iterator[None]:
    """The library orders and spreads its dots by numpy's global generator; equal runs must give equal pictures."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
