"""The interval of p_fail keeps its word on a later period, in worlds whose truth is known."""

import numpy as np
import pytest

from data.errors import Refusal
from models.calibration import Calibration, fit_calibration
from models.calibration_curves import Floats
from training.evaluation.skill import interval_coverage

PERIODS, SUPPLIERS, PER_PERIOD = 6, 60, 300


def world(seed: int, drift: float, trending: bool) -> tuple[Floats, Floats, Floats, Floats]:
    """Margin, failed, supplier, period: suppliers differ by 0.3, periods by `drift` (each anew, or adding up)."""
    draw = np.random.default_rng(seed)
    shift = draw.normal(0.0, drift, PERIODS + 1)
    if trending:
        shift = np.cumsum(shift)
    period = np.repeat(np.arange(PERIODS + 1), PER_PERIOD)
    supplier = draw.integers(0, SUPPLIERS, len(period))
    margin = draw.normal(-1.3, 1.0, len(period))
    logit = 0.8 * margin + shift[period] + draw.normal(0.0, 0.3, SUPPLIERS)[supplier]
    failed = draw.random(len(period)) < 1.0 / (1.0 + np.exp(-logit))
    return margin, failed.astype(float), supplier.astype(float), period.astype(float)


@pytest.mark.parametrize(("drift", "trending"), [(0.0, False), (0.25, False), (0.2, True)])
def test_intervals_of_80_percent_hold_in_about_80_percent_of_later_bins(drift: float, trending: bool) -> None:
    """Intervals of 80 percent hold in about 80 percent of later bins."""
    shares = []
    for seed in range(40):
        margin, failed, supplier, period = world(seed, drift, trending)
        past = period < PERIODS
        calibration = fit_calibration(margin[past], failed[past], supplier[past], period[past], seed=seed)
        shares.append(interval_coverage(margin[~past], failed[~past], calibration, bins=5).share)
    # Bins of one world drift together: 40 worlds leave a standard error of about 0.04.
    assert 0.70 < np.mean(shares) < 0.92


def test_an_interval_that_ignores_the_drift_does_not_keep_its_word() -> None:
    """An interval that ignores the drift does not keep its word."""
    shares = []
    for seed in range(40):
        margin, failed, supplier, period = world(seed, 0.4, trending=False)
        past = period < PERIODS
        blind = fit_calibration(margin[past], failed[past], supplier[past], seed=seed)
        shares.append(interval_coverage(margin[~past], failed[~past], blind, bins=5).share)
    assert np.mean(shares) < 0.70


def flat(low: float, p: float, high: float) -> Calibration:
    """A calibration that says the same of every margin."""
    return Calibration(
        "platt", 0.8, (-1.0, 1.0), (p, p), (low, low), (high, high), labels=9, failed=3, suppliers=2, periods=1,
        drift_sd=0.0, log_loss={},
    )  # fmt: skip


def test_a_bin_is_covered_when_its_share_is_in_the_interval_and_not_when_far_outside() -> None:
    """A bin is covered when its share is in the interval and not when far outside."""
    margin, failed = np.linspace(-1.0, 1.0, 2000), np.tile([0.0, 0.0, 0.0, 1.0], 500)
    assert interval_coverage(margin, failed, flat(0.2, 0.25, 0.3)).share == 1.0
    assert interval_coverage(margin, failed, flat(0.6, 0.65, 0.7)).share == 0.0


def test_the_noise_of_a_small_bin_is_allowed_for_at_the_same_level() -> None:
    """The noise of a small bin is allowed for at the same level."""
    draw = np.random.default_rng(0)
    exact = flat(0.3 - 1e-9, 0.3, 0.3 + 1e-9)
    margin = np.linspace(-1.0, 1.0, 40_000)
    share = interval_coverage(margin, draw.random(40_000) < 0.3, exact, bins=400).share
    assert 0.74 < share < 0.86


def test_every_label_is_in_one_bin_and_bins_are_of_equal_count() -> None:
    """Every label is in one bin and bins are of equal count."""
    margin = np.random.default_rng(1).normal(size=103)
    coverage = interval_coverage(margin, margin > 0, flat(0.2, 0.3, 0.4), bins=10)
    counts = [score_bin.labels for score_bin in coverage.bins]
    assert sum(counts) == 103
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize(("margins", "bins"), [(3, 10), (10, 0), (0, 1)])
def test_fewer_labels_than_bins_are_refused(margins: int, bins: int) -> None:
    """Fewer labels than bins are refused."""
    with pytest.raises(Refusal, match=f"Coverage in {bins} bins needs at least as many labels"):
        interval_coverage(np.zeros(margins), np.zeros(margins), flat(0.2, 0.3, 0.4), bins)
