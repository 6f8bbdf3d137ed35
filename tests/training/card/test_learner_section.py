"""The card says what learns, and why."""

from typing import Any

import pytest

from training.card.learner_section import learner_section


def rival(change: float, low: float, high: float) -> dict[str, Any]:
    """A learner whose AUC and log loss differ from the usual one's by so much."""
    return {
        "auc": 0.75 + change, "auc_change": change, "auc_change_interval": [low, high],
        "log_loss": 0.45 - change, "log_loss_change": -change, "log_loss_change_interval": [-high, -low],
    }  # fmt: skip


RIVALS = {"trees": rival(-0.02, -0.03, -0.01), "line": rival(0.01, 0.004, 0.02), "mean": rival(0.0, 0.0, 0.0)}


@pytest.mark.parametrize(("change", "sentence"), [
    ({}, "half from 120 boosted trees and half from a line"),
    ({}, "It is usual, and no other had a lower log loss on earlier periods beyond noise."),
    ({"kind": "line"}, "The learner is a line (ridge logistic regression"),
    ({"kind": "line"}, "lower than that of the mean of trees and line beyond noise."),
    ({"kind": "trees", "fixed": True}, "The learner is 120 boosted trees. The recipe names it."),
    ({"rivals": {}, "tests": 0}, "too few labels to compare learners"),
])  # fmt: skip
def test_the_card_names_the_learner_and_why(change: dict[str, Any], sentence: str) -> None:
    learner = {"kind": "mean", "fixed": False, "usual": "mean", "tests": 2_345, "rivals": RIVALS, **change}
    assert sentence in learner_section({"data": {"trees": 120}, "learner": learner})


def test_every_rival_has_a_row_with_its_interval() -> None:
    learner = {"kind": "mean", "fixed": False, "usual": "mean", "tests": 2_345, "rivals": RIVALS}
    section = learner_section({"data": {"trees": 120}, "learner": learner})
    assert "On the 2,345 tests" in section
    assert "| line | 0.760 | 0.4400 | +0.010 (+0.004 to +0.020) | -0.0100 (-0.0200 to -0.0040) |" in section
    assert "| mean | 0.750 | 0.4500 | 0 | 0 |" in section
