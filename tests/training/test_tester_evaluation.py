"""How much skill is said to be the laboratory's, where that is known."""

import json

import numpy as np
import pandas as pd
import pytest

from training.evaluation import sigmoid
from training.metrics import Floats
from training.tester import UNKNOWN_LABS, LabEffects
from training.tester_evaluation import lab_evaluation

EFFECT = LabEffects({"a": 1.5, "b": -1.5}, {"a": 0.5, "b": 0.5}, 1.5, 1e-9)


def judged_by_labs(of_product: float) -> tuple[pd.DataFrame, Floats]:
    """Tests whose outcome depends on the product's margin, times `of_product`, and on the laboratory."""
    draw = np.random.default_rng(1)
    margin, lab = draw.normal(0, 1, 4000), draw.choice(["a", "b"], 4000)
    failed = draw.random(4000) < sigmoid(of_product * margin + np.where(lab == "a", 1.5, -1.5))
    suppliers = draw.integers(200, size=4000).astype(str)
    return pd.DataFrame({"failed": failed, "lab_id": lab, "supplier_id": suppliers}), margin


def test_where_only_laboratories_decide_all_of_the_lift_is_theirs() -> None:
    """Scores that know nothing of products look skilled as long as the laboratory is known."""
    tests, margin = judged_by_labs(of_product=0.0)
    told = lab_evaluation(tests, 0.01 * margin, 0.01 * margin, EFFECT, 60, 1)
    assert told.auc_lab_known.value > 0.75
    assert told.auc_lab_averaged.low < 0.5 < told.auc_lab_averaged.high
    assert told.share_of_lift.value == pytest.approx(1, abs=0.1)


def test_where_both_decide_part_of_the_lift_is_theirs() -> None:
    tests, margin = judged_by_labs(of_product=1.0)
    told = lab_evaluation(tests, margin, margin, EFFECT, 60, 1)
    assert 0.2 < told.share_of_lift.low < told.share_of_lift.high < 0.8
    assert told.auc_gain.low > 0.05
    assert told.auc_lab_blind == told.auc_lab_averaged


def test_without_laboratories_nothing_is_theirs() -> None:
    tests, margin = judged_by_labs(of_product=1.0)
    told = lab_evaluation(tests.assign(lab_id=None), margin, margin, UNKNOWN_LABS, 20, 1)
    assert told.auc_gain.value == 0
    assert told.auc_of_labs_alone.value == pytest.approx(0.5)
    json.dumps(told.to_json(), allow_nan=False)
