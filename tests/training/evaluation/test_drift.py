"""The stability index is zero for what has not moved, and grows with what has."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.drift import drift_bins, measure_drift, stability_index


def matrix(seed: int, rows: int = 3000, shift: float = 0.0, missing: float = 0.1) -> "np.typing.NDArray[np.float64]":
    """Two columns: a continuous one, and one of yes or no; some unknown."""
    draw = np.random.default_rng(seed)
    values = np.column_stack([draw.normal(shift, 1, rows), (draw.random(rows) < 0.3).astype(float)])
    values[draw.random(values.shape) < missing] = np.nan
    return values


def index_of(catalogue: "np.typing.NDArray[np.float64]", today: "np.typing.NDArray[np.float64]") -> dict[str, float]:
    """The index of each column today."""
    result = measure_drift(drift_bins(("size", "yes"), catalogue, catalogue), ("size", "yes"), today)
    return {each.feature: each.psi for each in result}


def test_a_catalogue_has_not_moved_from_itself() -> None:
    assert index_of(matrix(1), matrix(1)) == {"size": 0.0, "yes": 0.0}


def test_another_draw_of_the_same_catalogue_is_no_shift_and_a_moved_one_is() -> None:
    assert max(index_of(matrix(1), matrix(2)).values()) < 0.02
    moved = index_of(matrix(1), matrix(2, shift=1.0))
    assert moved["size"] > 0.25 > moved["yes"]


def test_values_that_became_unknown_are_a_shift() -> None:
    result = measure_drift(drift_bins(("size", "yes"), matrix(1), matrix(1)), ("size", "yes"), matrix(2, missing=0.6))
    for each in result:
        assert each.psi > 0.25
        assert each.missing_then == pytest.approx(0.1, abs=0.03)
        assert each.missing_now == pytest.approx(0.6, abs=0.03)


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=8), st.integers(0, 100))
def test_the_index_is_symmetric_never_negative_and_zero_only_for_equal_shares(weights: list[float], seed: int) -> None:
    first = np.array(weights) / sum(weights)
    second = np.random.default_rng(seed).permutation(first)
    index = stability_index(first, second)
    assert index >= -1e-12
    assert index == pytest.approx(stability_index(second, first))
    assert (index < 1e-12) == np.allclose(first, second, atol=1e-9)


def test_the_index_of_a_worked_example() -> None:
    """(0.5 - 0.4) ln(0.5 / 0.4) + (0.5 - 0.6) ln(0.5 / 0.6)."""
    assert stability_index(np.array([0.4, 0.6]), np.array([0.5, 0.5])) == pytest.approx(0.0405465, abs=1e-6)


def test_a_frame_read_back_gives_the_same_index(tmp_path: Path) -> None:
    frame = drift_bins(("size", "yes"), matrix(1), matrix(3))
    pq.write_table(frame, tmp_path / "frame.parquet")
    repeated = pq.read_table(tmp_path / "frame.parquet")
    assert repeated.equals(frame)
    assert measure_drift(repeated, ("size", "yes"), matrix(2)) == measure_drift(frame, ("size", "yes"), matrix(2))


def test_a_column_that_was_never_known_and_features_without_a_frame_do_no_harm() -> None:
    nothing = np.full((50, 2), np.nan)
    assert index_of(nothing, nothing) == {"size": 0.0, "yes": 0.0}
    assert measure_drift(drift_bins((), nothing[:, :0], nothing[:, :0]), ("size", "yes"), nothing) == ()
