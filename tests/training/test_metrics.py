"""Laws of the skills, scikit-learn as a second opinion, and examples worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from training import metrics
from training.metrics import Floats, Truths, metric_with_interval, platt, sigmoid, supplier_weights


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=30), st.integers(0, 99))
def test_rows_of_one_supplier_are_drawn_together_and_as_many_suppliers_as_there_are(
    suppliers: list[str], seed: int
) -> None:
    weights = supplier_weights(suppliers, 20, seed)
    assert (weights[0] == 1).all()
    firsts = [suppliers.index(name) for name in sorted(set(suppliers))]
    assert (weights[:, firsts].sum(axis=1) == len(firsts)).all()
    for column, name in enumerate(suppliers):
        assert (weights[:, column] == weights[:, suppliers.index(name)]).all()


@given(st.permutations(list("aabbbcdddd")))
def test_the_order_of_rows_does_not_matter(suppliers: list[str]) -> None:
    names, ordered = np.array(suppliers), sorted(suppliers)
    weights = supplier_weights(suppliers, 5, 7)
    assert (weights[:, np.argsort(names, kind="stable")] == supplier_weights(ordered, 5, 7)).all()


def test_the_interval_of_a_mean_is_as_wide_as_its_standard_error_says() -> None:
    values = np.random.default_rng(5).normal(size=400)
    weights = supplier_weights([f"s{number}" for number in range(400)], 2000, 6)
    result = metric_with_interval(weights @ values / weights.sum(axis=1))
    assert np.isclose(result.high - result.low, 2 * 1.96 * values.std() / 20, rtol=0.1)
    assert result.low < result.value < result.high


def test_undefined_replicates_are_left_out() -> None:
    result = metric_with_interval(np.array([2.0, np.nan, 1.0, 3.0]), scale=10)
    assert result.value == 20
    assert 10 <= result.low <= result.high <= 30


@st.composite
def rankings(draw: st.DrawFn) -> tuple[Floats, Truths, Floats]:
    """Scores with ties, outcomes of both classes, and whole-number weights with both classes present."""
    count = draw(st.integers(4, 40))
    score = draw(hnp.arrays(np.float64, count, elements=st.integers(-4, 4).map(float)))
    failed = draw(hnp.arrays(np.bool_, count))
    failed[:2] = [True, False]
    weights = draw(hnp.arrays(np.float64, count, elements=st.integers(0, 3).map(float)))
    weights[:2] = 1.0
    return score, failed, weights


@given(rankings())
def test_auc_and_average_precision_are_those_of_scikit_learn_with_weights(given: tuple[Floats, Truths, Floats]) -> None:
    score, failed, weights = given
    ranks = metrics.rank_scores(score, failed)
    assert metrics.auc(ranks, weights[None])[0] == pytest.approx(roc_auc_score(failed, score, sample_weight=weights))
    assert metrics.average_precision(ranks, weights[None])[0] == pytest.approx(
        average_precision_score(failed, score, sample_weight=weights)
    )


@given(rankings(), st.randoms(use_true_random=False), st.floats(0.05, 1.0))
def test_permuting_rows_changes_no_skill(given: tuple[Floats, Truths, Floats], random: object, share: float) -> None:
    score, failed, weights = given
    order = np.arange(len(score))
    random.shuffle(order)  # type: ignore[attr-defined]
    before, after = metrics.rank_scores(score, failed), metrics.rank_scores(score[order], failed[order])
    for skill in (metrics.auc, metrics.average_precision, lambda r, w: metrics.rate_of_riskiest(r, w, share)):
        assert skill(after, weights[None, order])[0] == pytest.approx(skill(before, weights[None])[0], abs=1e-12)


@given(rankings(), st.floats(0.05, 1.0))
def test_a_weight_of_two_is_the_row_twice(given: tuple[Floats, Truths, Floats], share: float) -> None:
    score, failed, weights = given
    repeated = np.repeat(np.arange(len(score)), weights.astype(int))
    alone = metrics.rank_scores(score[repeated], failed[repeated])
    ones = np.ones((1, len(repeated)))
    weighted = metrics.rate_of_riskiest(metrics.rank_scores(score, failed), weights[None], share)
    assert weighted[0] == pytest.approx(metrics.rate_of_riskiest(alone, ones, share)[0])


@given(rankings(), st.floats(0.05, 1.0))
def test_a_ranking_without_knowledge_finds_what_chance_finds(
    given: tuple[Floats, Truths, Floats], share: float
) -> None:
    _, failed, weights = given
    ranks = metrics.rank_scores(np.zeros(len(failed)), failed)
    base_rate = metrics.base_rate(failed, weights[None])[0]
    assert metrics.rate_of_riskiest(ranks, weights[None], share)[0] == pytest.approx(base_rate)
    assert metrics.auc(ranks, weights[None])[0] == pytest.approx(0.5)


def test_riskiest_share_worked_out_by_hand() -> None:
    """Riskiest 2 of 5 where the second place is tied between a failure and a pass: 1 + 1/2 failures of 2."""
    score = np.array([0.9, 0.5, 0.5, 0.2, 0.1])
    failed = np.array([True, True, False, True, False])
    result = metrics.rate_of_riskiest(metrics.rank_scores(score, failed), np.ones((1, 5)), 0.4)
    assert result[0] == pytest.approx(0.75)


def test_probability_skills_are_those_of_scikit_learn() -> None:
    draw = np.random.default_rng(3)
    p_fail, weights = draw.random(500), draw.random(500)
    failed = draw.random(500) < p_fail
    brier = metrics.brier(p_fail, failed, weights[None])[0]
    assert brier == pytest.approx(brier_score_loss(failed, p_fail, sample_weight=weights))
    loss = metrics.log_loss(p_fail, failed, weights[None])[0]
    assert loss == pytest.approx(log_loss(failed, p_fail, sample_weight=weights))


def test_calibration_line_is_the_logistic_regression_on_the_log_odds() -> None:
    draw = np.random.default_rng(4)
    margin = draw.normal(-1, 1.5, 4000)
    failed = draw.random(4000) < 1 / (1 + np.exp(-(0.6 * margin + 0.3)))
    slope, intercept = metrics.calibration_line(1 / (1 + np.exp(-margin)), failed, np.ones((1, 4000)))
    theirs = LogisticRegression(C=np.inf, tol=1e-8).fit(margin[:, None], failed)
    assert slope[0] == pytest.approx(theirs.coef_[0, 0], abs=1e-4)
    assert intercept[0] == pytest.approx(theirs.intercept_[0], abs=1e-4)


def test_one_class_has_no_auc_and_no_calibration_line() -> None:
    passed = np.zeros(3, dtype=bool)
    p_fail, ones = np.array([0.1, 0.2, 0.3]), np.ones((1, 3))
    assert np.isnan(metrics.auc(metrics.rank_scores(p_fail, passed), ones)[0])
    assert np.isnan(metrics.calibration_line(p_fail, passed, ones)[0][0])
    assert np.isnan(metrics.expected_per_observed(p_fail, passed, ones)[0])


def test_expected_per_observed_counts_failures() -> None:
    result = metrics.expected_per_observed(np.array([0.5, 0.5, 1.0]), np.array([True, False, False]), np.ones((1, 3)))
    assert result[0] == pytest.approx(2.0)


@given(rankings(), st.floats(0.05, 1.0))
def test_no_ranking_finds_more_than_hindsight_and_lift_times_base_rate_is_the_rate(
    given: tuple[Floats, Truths, Floats], share: float
) -> None:
    score, failed, weights = given
    ranks, rows = metrics.rank_scores(score, failed), weights[None]
    part = metrics.share_of_oracle(ranks, rows, share)[0]
    assert -1e-9 <= part <= 1 + 1e-9
    best = metrics.rank_scores(failed.astype(np.float64), failed)
    assert metrics.share_of_oracle(best, rows, share)[0] == pytest.approx(1)
    rate = metrics.rate_of_riskiest(ranks, rows, share)[0]
    assert metrics.lift_of_riskiest(ranks, rows, share)[0] * metrics.base_rate(failed, rows)[0] == pytest.approx(rate)
    assert metrics.lift_of_riskiest(ranks, rows, 1.0)[0] == pytest.approx(1)


def test_platt_brings_a_stretched_margin_back() -> None:
    margin = np.random.default_rng(1).normal(-1.5, 1, 1000)
    failed = np.random.default_rng(2).random(1000) < sigmoid(margin)
    p_fail = platt(3 * margin + 2, failed, 3 * margin + 2)
    slope, intercept = metrics.calibration_line(p_fail, failed, np.ones((1, 1000)))
    assert (slope[0], intercept[0]) == pytest.approx((1, 0), abs=1e-3)


def test_platt_of_equal_margins_is_the_share_that_failed() -> None:
    assert platt(np.zeros(4), np.array([True, False, False, False]), np.zeros(2)) == pytest.approx(0.25)


@given(st.floats(-20, 20))
def test_sigmoid_is_the_inverse_of_logit_and_symmetric(margin: float) -> None:
    p_fail = sigmoid(np.array([margin, -margin]))
    assert p_fail.sum() == pytest.approx(1)
    assert metrics.logit(p_fail)[0] == pytest.approx(np.clip(margin, -13.815509557, 13.815509557), abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=40), st.floats(0.5, 0.94))
def test_a_lower_level_gives_an_interval_inside_that_of_95_percent(values: list[float], level: float) -> None:
    wide, narrow = metric_with_interval(np.array(values)), metric_with_interval(np.array(values), level=level)
    assert wide.low <= narrow.low <= narrow.high <= wide.high
