"""Fits on all cores: in order, the same on any number of them."""

import os

import numpy as np
import pytest

from tests.training.worlds import small_recipe
from training.fitting.booster import TrainingRows, fit_booster
from training.parallel import map_in_threads


def test_results_keep_the_order_of_their_items_and_an_error_is_raised() -> None:
    assert map_in_threads(lambda number: number * number, range(20)) == [number * number for number in range(20)]
    assert map_in_threads(str, []) == []
    with pytest.raises(ZeroDivisionError):
        map_in_threads(lambda number: 1 // number, [1, 0])


def test_fits_are_the_same_on_one_core_and_on_many(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    matrix = draw.normal(size=(400, 3))
    rows = TrainingRows(matrix, draw.random(400) < 1 / (1 + np.exp(-matrix[:, 0])))

    def fit(seed: int) -> str:
        return fit_booster(rows, "abc", (0, 0, 0), small_recipe(seed=str(seed)), 20).model_to_string()

    texts = []
    for cores in (1, 4):
        monkeypatch.setattr(os, "cpu_count", lambda: cores)  # noqa: B023 - called before the next turn
        texts.append(map_in_threads(fit, range(4)))
    assert texts[0] == texts[1] == [fit(seed) for seed in range(4)]
