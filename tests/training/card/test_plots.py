"""Pictures can be drawn of anything an evaluation holds, and the same numbers give the same bytes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from training.card import plots, plots_over_time
from training.card.plots import plot_style, save
from training.evaluation.drift import Drift


def figures(count: int) -> Mapping[str, Figure]:
    """Every picture of `count` tests."""
    draw = np.random.default_rng(1)
    p_fail = draw.beta(1, 4, count)
    failed = draw.random(count) < p_fail
    margins = {"model": np.log(p_fail), "random": np.zeros(count), "supplier_rate": draw.normal(size=count)}
    matrix, explained = draw.normal(size=(count, 20)), draw.normal(size=(count, 20)) * np.linspace(1, 0.1, 20)
    matrix[:, 0], matrix[::3, 1] = np.nan, np.nan
    names = [f"feature_{number}" for number in range(20)]
    rows = [{"from": f"2026-0{month}-01", "auc": 0.7, "auc_interval": [0.6, 0.8], "slope": None} for month in (1, 2)]
    result = {"auc": 0.7, "found": 30.0, "found_interval": [20.0, 40.0]}
    points = [{"labels": labels, **result} for labels in (200, 400, 800)]
    curve: dict[str, Any] = {"tests": 90, "points": points, "more": 500, "gain_auc": 0.01, "gain_found": None}
    result = {"n": 50, "false_positive_rate": 0.1, "false_positive_rate_interval": None, "expected_per_observed": None}
    groups = [{"dimension": "country", "group": name, **result} for name in ("DE", "FR")]
    return {
        "reliability": plots.reliability({"before": p_fail, "after": p_fail**1.1}, failed,
                                         (np.arange(count) % 4 == 0) * 1.5, p_fail),
        "gain": plots.gain(margins, failed, 92), "lift": plots.lift(margins, failed, 92),
        "beeswarm": plots_over_time.beeswarm(explained, matrix, names),
        "dependence": plots_over_time.dependence(explained, matrix, names),
        "periods": plots_over_time.periods(rows, {"auc": 0.7, "slope": 1.0}),
        "curve": plots_over_time.learning_curve(curve), "groups": plots_over_time.groups(groups),
        "drift": plots_over_time.drift([Drift("a_b", 0.4, 0.5, 0, 0)], 0.25, "Moved"),
    }  # fmt: skip


def png_files(count: int, folder: Path) -> dict[str, bytes]:
    """The bytes of every picture."""
    with plot_style():
        for name, figure in figures(count).items():
            save(figure, folder / f"{name}.png")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_the_same_evaluation_gives_the_same_pictures(tmp_path: Path) -> None:
    """Whatever was drawn from numpy's global generator in between."""
    first = png_files(300, tmp_path / "first")
    np.random.seed(5)  # noqa: NPY002 - shap draws from it
    assert png_files(300, tmp_path / "second") == first


def test_a_handful_of_tests_can_be_drawn(tmp_path: Path) -> None:
    assert all(picture.startswith(b"\x89PNG") for picture in png_files(5, tmp_path / "few").values())


def test_the_reliability_curve_shows_the_random_stratum_only_where_there_is_one() -> None:
    result = np.linspace(0.05, 0.6, 80)
    failed = np.arange(80) % 3 == 0

    def labels(figure: Figure) -> list[str]:
        legend = figure.axes[0].get_legend()
        assert legend is not None
        return [text.get_text() for text in legend.get_texts()]

    assert any(
        "random tests" in label for label in labels(plots.reliability({"p": result}, failed, np.ones(80), result))
    )
    nowhere = plots.reliability({"p": result}, failed, np.zeros(80), result)
    assert not any("random tests" in label for label in labels(nowhere))
