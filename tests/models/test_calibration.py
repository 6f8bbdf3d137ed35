"""A calibration never falls, keeps its interval around it, and comes back bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data.errors import UserError
from models.calibration import MANY_LABELS, Calibration, fit_calibration
from models.calibration_curves import Floats

MARGINS = arrays(float, st.integers(2, 60), elements=st.floats(-1e6, 1e6))


def labels(count: int, seed: int, slope: float = 0.7, base: float = -0.4) -> tuple[Floats, Floats]:
    """Margins, and failures with log-odds `base + slope * margin`."""
    draw = np.random.default_rng(seed)
    margin = draw.normal(-1.0, 1.2, count)
    return margin, (draw.random(count) < 1.0 / (1.0 + np.exp(-(base + slope * margin)))).astype(float)


def true_p(margin: Floats, slope: float = 0.7, base: float = -0.4) -> Floats:
    """The probability that `labels` draws from."""
    return np.asarray(1.0 / (1.0 + np.exp(-(base + slope * margin))))


def learned(seed: int) -> Calibration:
    """One of each kind of world: few labels, many labels, labels that a line does not fit."""
    margin, failed = labels((150, 1500, 2500)[seed % 3], seed)
    if seed % 3 == 2:
        failed = ((margin > 0.0) & (np.random.default_rng(seed).random(len(margin)) < 0.9)).astype(float)
    suppliers = np.random.default_rng(seed).integers(0, 50, len(margin))
    return fit_calibration(margin, failed, suppliers, np.arange(len(margin)) * 4 // len(margin), seed=seed)


CALIBRATIONS = tuple(learned(seed) for seed in range(3))


@settings(max_examples=100, deadline=None)
@given(calibration=st.sampled_from(CALIBRATIONS), margin=MARGINS)
def test_a_higher_margin_never_has_a_lower_probability_or_interval(calibration: Calibration, margin: Floats) -> None:
    """A higher margin never has a lower probability or interval."""
    rising = np.sort(margin)
    for curve in (calibration.p_fail(rising), *calibration.interval(rising)):
        assert (np.diff(curve) >= 0).all()


@settings(max_examples=100, deadline=None)
@given(calibration=st.sampled_from(CALIBRATIONS), margin=MARGINS)
def test_between_knots_the_log_odds_are_interpolated(calibration: Calibration, margin: Floats) -> None:
    """Probability and interval are what `numpy.interp` reads from the log-odds, together the same bits as alone."""
    p, low, high = calibration.p_fail_with_interval(margin)
    assert np.array_equal(p, calibration.p_fail(margin))
    assert np.array_equal([low, high], calibration.interval(margin))
    for read, curve in ((p, calibration.p), (low, calibration.low), (high, calibration.high)):
        logit = np.interp(margin, calibration.knots, np.log(curve) - np.log1p(-np.array(curve)))
        assert read == pytest.approx(1.0 / (1.0 + np.exp(-logit)), rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(calibration=st.sampled_from(CALIBRATIONS), margin=MARGINS)
def test_the_interval_holds_the_probability_strictly_inside_0_and_1(calibration: Calibration, margin: Floats) -> None:
    """The interval holds the probability strictly inside 0 and 1."""
    p, (low, high) = calibration.p_fail(margin), calibration.interval(margin)
    assert (low > 0).all()
    assert (low <= p).all()
    assert (p <= high).all()
    assert (high < 1).all()


@settings(max_examples=50, deadline=None)
@given(calibration=st.sampled_from(CALIBRATIONS), margin=MARGINS)
def test_a_round_trip_through_json_differs_by_nothing(calibration: Calibration, margin: Floats) -> None:
    """A round trip through json differs by nothing."""
    back = Calibration.from_json(calibration.to_json())
    assert back == calibration
    assert np.array_equal(back.p_fail(margin), calibration.p_fail(margin))


@settings(max_examples=30, deadline=None)
@given(calibration=st.sampled_from(CALIBRATIONS), margin=MARGINS)
def test_a_margin_alone_reads_as_in_company(calibration: Calibration, margin: Floats) -> None:
    """A margin alone reads as in company."""
    alone = np.concatenate([calibration.p_fail(margin[[row]]) for row in range(len(margin))])
    assert np.array_equal(alone, calibration.p_fail(margin))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(20, 400), slope=st.floats(-3, 3))
def test_whatever_the_labels_a_fit_is_a_calibration(seed: int, count: int, slope: float) -> None:
    """Whatever the labels a fit is a calibration."""
    margin, failed = labels(count, seed, slope)
    failed[:2] = 0.0, 1.0
    calibration = fit_calibration(margin, failed, np.arange(count) % 7, np.arange(count) % 3, seed=seed)
    assert calibration.labels == count
    assert calibration.failed == failed.sum()


def test_the_order_of_the_labels_changes_nothing_that_matters() -> None:
    """The order of the labels changes nothing that matters."""
    margin, failed = labels(800, 1)
    order = np.random.default_rng(0).permutation(800)
    suppliers = np.arange(800) % 40
    one = fit_calibration(margin, failed, suppliers)
    other = fit_calibration(margin[order], failed[order], suppliers[order])
    for ours, theirs in ((one.p, other.p), (one.low, other.low), (one.high, other.high)):
        assert np.allclose(ours, theirs, atol=1e-6)


def test_the_same_seed_gives_the_same_calibration() -> None:
    """The same seed gives the same calibration."""
    margin, failed = labels(400, 3)
    assert fit_calibration(margin, failed, seed=5) == fit_calibration(margin, failed, seed=5)
    assert fit_calibration(margin, failed, seed=5) != fit_calibration(margin, failed, seed=6)


@pytest.mark.parametrize("count", [900, 6000])
def test_the_true_probability_is_recovered(count: int) -> None:
    """The true probability is recovered."""
    margin, failed = labels(count, 11)
    calibration = fit_calibration(margin, failed)
    at = np.linspace(-3.0, 1.0, 9)
    assert np.abs(calibration.p_fail(at) - true_p(at)).max() < 0.05


def test_few_labels_are_fitted_with_platt_alone_and_many_with_what_fits_best() -> None:
    """Few labels are fitted with platt alone and many with what fits best."""
    margin, failed = labels(MANY_LABELS - 1, 2)
    assert set(fit_calibration(margin, failed).log_loss) == {"platt"}
    margin, _ = labels(4000, 2)
    steps = (np.random.default_rng(2).random(4000) < np.where(margin > -1.0, 0.6, 0.02)).astype(float)
    chosen = fit_calibration(margin, steps)
    assert set(chosen.log_loss) == {"platt", "beta", "isotonic"}
    assert chosen.kind == "isotonic"


def test_a_platt_curve_is_a_logistic_function_of_the_margin() -> None:
    """A platt curve is a logistic function of the margin."""
    margin, failed = labels(500, 7)
    calibration = fit_calibration(margin, failed)
    at = np.linspace(margin.min(), margin.max(), 50)
    logit = np.log(calibration.p_fail(at)) - np.log1p(-calibration.p_fail(at))
    straight = np.polyval(np.polyfit(at, logit, 1), at)
    assert calibration.kind == "platt"
    assert np.abs(logit - straight).max() < 1e-5


def test_a_margin_that_ranks_upside_down_is_flattened_not_inverted() -> None:
    """A margin that ranks upside down is flattened not inverted."""
    margin, failed = labels(600, 4, slope=-1.0)
    calibration = fit_calibration(margin, failed)
    assert calibration.p_fail(np.array([-4.0])) == calibration.p_fail(np.array([2.0]))
    assert abs(calibration.p[0] - failed.mean()) < 0.01


def test_a_label_of_weight_2_counts_as_two_labels() -> None:
    """A label of weight 2 counts as two labels."""
    margin, failed = labels(300, 6)
    suppliers = np.arange(300)
    heavy = np.where(margin > 0, 2.0, 1.0)
    copies = np.repeat(np.arange(300), heavy.astype(int))
    weighted = fit_calibration(margin, failed, suppliers, weights=heavy)
    doubled = fit_calibration(margin[copies], failed[copies], suppliers[copies])
    at = np.linspace(-3.0, 1.0, 9)
    # Weights are scaled to mean 1, so Platt's targets smooth a little more than for the copies.
    assert np.abs(weighted.p_fail(at) - doubled.p_fail(at)).max() < 0.005


def test_fewer_labels_give_a_wider_interval() -> None:
    """Fewer labels give a wider interval."""
    widths = []
    for count in (100, 800):
        calibration = fit_calibration(*labels(count, 9))
        low, high = calibration.interval(np.array([-1.0]))
        widths.append(float(high[0] - low[0]))
    assert widths[0] > 1.5 * widths[1]


def test_labels_of_few_suppliers_give_a_wider_interval_than_as_many_of_many() -> None:
    """Labels of few suppliers give a wider interval than as many of many."""
    draw = np.random.default_rng(3)
    supplier = np.arange(900) % 15
    margin = draw.normal(-1.0, 1.0, 900)
    failed = draw.random(900) < true_p(margin + draw.normal(0.0, 1.5, 15)[supplier])
    few = fit_calibration(margin, failed, supplier).interval(np.array([-1.0]))
    many = fit_calibration(margin, failed, np.arange(900)).interval(np.array([-1.0]))
    assert few[1] - few[0] > 1.5 * (many[1] - many[0])


def test_periods_that_drift_give_a_wider_interval_than_periods_that_do_not() -> None:
    """Periods that drift give a wider interval than periods that do not."""
    margin, steady = labels(900, 5)
    period = np.arange(900) // 150
    shift = np.array([-1.0, 0.9, -0.8, 1.0, 0.1, -0.9])[period]
    drifting = np.random.default_rng(5).random(900) < true_p(margin + shift)
    calm, stormy = (fit_calibration(margin, failed, periods=period) for failed in (steady, drifting))
    assert stormy.drift_sd > 0.3 > calm.drift_sd
    widths = [float(high[0] - low[0]) for low, high in (c.interval(np.array([-1.0])) for c in (calm, stormy))]
    assert widths[1] > 2 * widths[0]


def test_without_periods_no_drift_is_claimed() -> None:
    """Without periods no drift is claimed."""
    calibration = fit_calibration(*labels(300, 8))
    assert (calibration.drift_sd, calibration.periods) == (0.0, 1)


def test_periods_may_be_any_ids_that_sort_in_time() -> None:
    """Periods may be any ids that sort in time."""
    margin, failed = labels(400, 8)
    quarter = np.arange(400) // 100
    named = np.array(["2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4"])[quarter]
    days = np.array(["2025-01-01", "2025-04-01", "2025-07-01", "2025-10-01"], dtype="datetime64[D]")[quarter]
    assert fit_calibration(margin, failed, periods=named) == fit_calibration(margin, failed, periods=quarter)
    assert fit_calibration(margin, failed, periods=days) == fit_calibration(margin, failed, periods=quarter)


@pytest.mark.parametrize("failed", [np.zeros(50), np.ones(50), np.full(50, 0.5), np.full(50, np.nan)])
def test_labels_of_one_class_or_none_are_refused(failed: Floats) -> None:
    """Labels of one class or none are refused."""
    with pytest.raises(UserError, match=r"needs labels of both classes; of 50 labels \d+ failed"):
        fit_calibration(np.linspace(-1.0, 1.0, 50), failed)


def test_columns_of_different_length_are_refused() -> None:
    """Columns of different length are refused."""
    with pytest.raises(UserError, match="lengths differ"):
        fit_calibration(np.zeros(3), np.array([0, 1]))


@pytest.mark.parametrize("spoilt", ["margin", "weight"])
def test_numbers_that_are_not_finite_are_refused(spoilt: str) -> None:
    """Numbers that are not finite are refused."""
    margin, failed = labels(50, 1)
    weight = np.ones(50)
    {"margin": margin, "weight": weight}[spoilt][3] = np.nan
    with pytest.raises(UserError, match="finite margins and weights above 0"):
        fit_calibration(margin, failed, weights=weight)


@pytest.mark.parametrize(
    "change",
    [
        {"p": (0.5, 0.4)}, {"low": (0.3, 0.2)}, {"high": (0.35, 0.3)}, {"p": (0.0, 0.4)}, {"high": (0.6, 1.0)},
        {"low": (0.45, 0.5)}, {"knots": (1.0, 1.0)}, {"knots": (0.0, float("nan"))}, {"p": (0.3, float("nan"))},
    ],
)  # fmt: skip
def test_curves_that_fall_cross_or_leave_0_and_1_are_refused(change: dict[str, tuple[float, float]]) -> None:
    """Curves that fall cross or leave 0 and 1 are refused."""
    sound = Calibration(
        "platt", 0.8, (0.0, 1.0), (0.3, 0.5), (0.2, 0.4), (0.4, 0.6), labels=9, failed=3, suppliers=2, periods=1,
        drift_sd=0.0, log_loss={},
    )  # fmt: skip
    with pytest.raises(UserError, match="must stay inside"):
        replace(sound, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"kind": "platt"}', "null"])
def test_json_that_is_no_calibration_is_refused(text: str) -> None:
    """Json that is no calibration is refused."""
    with pytest.raises(UserError, match=r"This is not a calibration: .* Restore calibration.json or train again"):
        Calibration.from_json(text)


def test_one_knot_is_refused() -> None:
    """One knot is refused."""
    sound = CALIBRATIONS[0]
    with pytest.raises(UserError, match="needs two knots or more"):
        replace(sound, knots=sound.knots[:1], p=sound.p[:1], low=sound.low[:1], high=sound.high[:1])
