"""The choice of the learner: the usual one unless another is better beyond noise."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.learner_choice import choose_kind
from training.fitting.learner import USUAL
from training.metrics import Floats


def losses(at: float, scatter: float) -> Floats:
    """A loss with replicates that scatter around it."""
    return np.asarray(at + scatter * np.r_[0.0, np.random.default_rng(1).normal(size=200)])


@given(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1), st.floats(0.001, 0.1))
def test_a_learner_replaces_the_usual_one_only_where_it_is_better_beyond_noise(
    trees: float, line: float, scatter: float
) -> None:
    usual = losses(0.5, 0.1)
    kind = choose_kind({"trees": usual + losses(trees, scatter), "line": usual + losses(line, scatter), USUAL: usual})
    change = {"trees": trees, "line": line, USUAL: 0.0}
    assert change[kind] <= 0
    if kind != USUAL:
        assert change[kind] < -1.5 * scatter
    if min(trees, line) < -3 * scatter:
        assert kind == min(change, key=lambda each: change[each])
