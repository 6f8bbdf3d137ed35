"""LightGBM's C library answers what its Python package answers."""

import numpy as np
import pytest

from models.treeshap import UnsupportedModel, lightgbm_reference
from models.treeshap.lightgbm_reference import contributions_by_lightgbm
from tests.models.boosters import grow


def test_the_library_answers_as_the_package() -> None:
    """Also for categories and missing values, bit for bit."""
    rng = np.random.default_rng(1)
    matrix = np.column_stack([rng.normal(size=200), rng.integers(0, 9, 200)])
    matrix[::7] = np.nan
    booster = grow(matrix, rng.normal(size=200), [1])
    expected = np.asarray(booster.predict(matrix, pred_contrib=True))
    assert np.array_equal(contributions_by_lightgbm(booster.model_to_string(), matrix), expected)


def test_a_text_that_is_no_model_is_refused_with_the_reason_of_lightgbm() -> None:
    with pytest.raises(UnsupportedModel, match=r"cannot read the booster: .*Train again"):
        contributions_by_lightgbm("no model", np.zeros((1, 2)))


def test_a_package_without_its_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lightgbm_reference, "find_spec", lambda _name: None)
    with pytest.raises(OSError, match="Install LightGBM from its wheel"):
        lightgbm_reference._library.__wrapped__()
