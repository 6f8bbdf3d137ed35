"""Laws of a calibration that was shifted from the tested to the catalogue."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from models.calibration import Calibration
from models.calibration_curves import SelectionShift
from tests.models.worlds import tiny_calibration

MARGINS = np.linspace(-7, 6, 400)
SHIFTS = st.builds(
    SelectionShift, intercept=st.floats(-3, 3), slope=st.floats(-0.9, 2), centre=st.floats(-4, 1),
    intercept_sd=st.floats(0, 0.5), slope_sd=st.floats(0, 0.25), labels=st.integers(1, 1000),
    effective=st.floats(1, 1000),
)  # fmt: skip
CALIBRATIONS = [tiny_calibration(seed) for seed in range(5)]
NO_SHIFT = SelectionShift(0, 0, -1, 0, 0, 100, 100)


@given(SHIFTS, st.integers(0, 4))
def test_more_risk_never_means_less_and_the_interval_holds_the_probability(shift: SelectionShift, seed: int) -> None:
    shifted = CALIBRATIONS[seed].for_catalogue(shift)
    p_fail, (low, high) = shifted.p_fail(MARGINS), shifted.interval(MARGINS)
    assert (np.diff(p_fail) >= 0).all()
    assert (low <= p_fail).all()
    assert (p_fail <= high).all()


@given(SHIFTS)
def test_a_shifted_calibration_comes_back_from_its_file(shift: SelectionShift) -> None:
    shifted = CALIBRATIONS[1].for_catalogue(shift)
    assert Calibration.from_json(shifted.to_json()) == shifted
    assert shifted.shift == shift


def test_no_shift_changes_no_probability() -> None:
    before = CALIBRATIONS[2]
    after = before.for_catalogue(NO_SHIFT)
    assert after.p_fail(MARGINS) == pytest.approx(before.p_fail(MARGINS), rel=1e-12)
    for end, other in zip(after.interval(MARGINS), before.interval(MARGINS), strict=True):
        assert end == pytest.approx(other, rel=1e-9)


def test_the_log_odds_move_by_the_shift() -> None:
    before = CALIBRATIONS[3]
    after = before.for_catalogue(SelectionShift(-0.5, 0.2, -1, 0, 0, 100, 100))
    odds = np.log(before.p_fail(MARGINS) / (1 - before.p_fail(MARGINS)))
    moved = np.log(after.p_fail(MARGINS) / (1 - after.p_fail(MARGINS)))
    assert moved == pytest.approx(odds - 0.5 + 0.2 * (odds + 1), abs=1e-6)


def test_an_uncertain_shift_widens_the_interval() -> None:
    before = CALIBRATIONS[4]
    low, high = before.interval(MARGINS)
    wide_low, wide_high = before.for_catalogue(SelectionShift(0, 0, -1, 0.3, 0.1, 100, 100)).interval(MARGINS)
    assert (wide_low < low).all()
    assert (wide_high > high).all()


@pytest.mark.parametrize("slope", [-1.0, float("nan")])
def test_a_shift_that_would_turn_risk_around_is_refused(slope: float) -> None:
    with pytest.raises(UserError, match="slope above -1"):
        SelectionShift(0, slope, 0, 0.1, 0.1, 10, 10)
