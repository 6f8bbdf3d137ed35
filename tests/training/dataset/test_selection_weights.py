"""Laws of the weights that let tests speak for the catalogue."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.dataset.selection_weights import (
    WeightedStratum,
    count_test_reasons,
    logged_stratum,
    random_stratum,
    training_weights,
)

STRATEGIES = ("random", "model", "rule", "mandatory", "follow_up", None)


def labels_sampled(*sampled: tuple[str | None, float | None]) -> pd.DataFrame:
    """Tests by strategy and propensity."""
    return pd.DataFrame(sampled, columns=["strategy", "propensity"]).astype({"propensity": float})


SAMPLED = st.lists(st.tuples(st.sampled_from(STRATEGIES), st.none() | st.floats(0, 1)), min_size=1, max_size=60)


@given(SAMPLED)
def test_every_test_has_one_reason_and_only_the_known_ones_are_weighed(
    sampled: list[tuple[str | None, float | None]],
) -> None:
    tests = labels_sampled(*sampled)
    reasons = count_test_reasons(tests)
    assert sum(reasons.values()) == len(tests)
    assert len(random_stratum(tests).rows) == reasons["random"]
    assert len(logged_stratum(tests).rows) == reasons["random"] + reasons["targeted"]


@given(SAMPLED, st.floats(1, 50))
def test_training_weights_are_positive_bounded_and_have_a_mean_of_one(
    sampled: list[tuple[str | None, float | None]], most: float
) -> None:
    weights = training_weights(labels_sampled(*sampled), most)
    assert (weights > 0).all()
    assert weights.mean() == pytest.approx(1)
    result = [1 / max(propensity, 1e-9) for strategy, propensity in sampled if strategy and propensity]
    middle = float(np.median(result)) if result else 1.0
    assert weights.max() / weights.min() <= most * middle / min([middle, *result]) * (1 + 1e-9)


def test_a_test_weighs_the_inverse_of_its_propensity() -> None:
    stratum = random_stratum(labels_sampled(("random", 0.1), ("random", 0.2), ("model", 0.001), ("random", None)))
    assert stratum.rows.tolist() == [0, 1]
    assert stratum.weights == pytest.approx([4 / 3, 2 / 3])
    assert stratum.dense_weights(4) == pytest.approx([4 / 3, 2 / 3, 0, 0])
    assert stratum.effective == pytest.approx(1.8)


def test_no_targeted_test_weighs_more_than_the_random_ones() -> None:
    tests = labels_sampled(*[("random", 0.01)] * 30, ("model", 0.0001), ("rule", 0.5))
    weights = logged_stratum(tests).weights
    assert weights[30] == pytest.approx(weights[0])
    assert weights[31] == pytest.approx(weights[0] / 50)


def test_weights_without_random_tests_end_at_a_multiple_of_the_median() -> None:
    weights = logged_stratum(labels_sampled(*[("rule", 0.5)] * 9, ("model", 1e-9))).weights
    assert weights[-1] == pytest.approx(20 * weights[0])


def test_without_propensities_nothing_is_weighed_and_every_label_teaches_alike() -> None:
    tests = labels_sampled(("random", None), ("model", None), (None, 0.2))
    assert len(logged_stratum(tests).rows) == 0
    assert logged_stratum(tests).effective == 0
    assert (training_weights(tests) == 1).all()


def test_weighed_tests_have_the_fail_rate_of_the_catalogue_they_were_drawn_from() -> None:
    """Of 200,000 SKUs 5 in 100 fail; those that fail are three times as likely to be tested."""
    draw = np.random.default_rng(1)
    failing = draw.random(200_000) < 0.05
    propensity = np.where(failing, 0.06, 0.02)
    sampled = draw.random(200_000) < propensity
    tests = pd.DataFrame({"strategy": "model", "propensity": propensity[sampled]})
    stratum: WeightedStratum = logged_stratum(tests)
    assert failing[sampled].mean() > 0.12
    assert np.average(failing[sampled], weights=stratum.weights) == pytest.approx(0.05, abs=0.006)
