"""Each monitoring rule asks for a new model by its own number, and silence is no alarm."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.evaluation.catalogue import StratumSkills
from training.evaluation.drift import MARGIN, Drift
from training.lifecycle.monitoring_rules import (
    ChampionObservation,
    evaluate_monitoring_rules,
    monitoring_policy_in_force,
    observation_to_json,
)
from training.metrics import MetricWithInterval

POLICY = monitoring_policy_in_force(date(2026, 6, 30))


def skills(tests: int, expected: tuple[float, float], slope: tuple[float, float]) -> StratumSkills:
    """Skills on new labels with these 95 % intervals."""
    predictions = {
        name: MetricWithInterval(float(np.mean(ends)), *ends)
        for name, ends in (("expected_per_observed", expected), ("slope", slope))
    }
    return StratumSkills(tests, tests // 5, float(tests), MetricWithInterval(0.2, 0.15, 0.25), {"model": predictions})


def watch(**changes: Any) -> ChampionObservation:
    """What was seen of a model that fits."""
    fits = ChampionObservation(
        version="m-0123456789ab", as_of=date(2026, 7, 1), skus=1000,
        drifts=(Drift("a", 0.05, 0.5, 0.1, 0.1), Drift("b", 0.02, 0.5, 0, 0), Drift(MARGIN, 0.01, 0.6, 0, 0)),
        importance={"a": 0.6, "b": 0.4}, tests=pd.DataFrame({"failed": np.zeros(300, bool)}), predictions=None,
        skills=skills(300, (0.9, 1.1), (0.8, 1.3)), training_labels=3000, age_days=60, report_days=30.0,
        report_days_in_training=28.0,
    )  # fmt: skip
    return replace(fits, **changes)


def broken(**changes: Any) -> list[str]:
    """The rules that ask for a new model."""
    return [each.rule for each in evaluate_monitoring_rules(watch(**changes), POLICY) if not each.holds]


def test_a_model_that_fits_is_left_alone() -> None:
    assert broken() == []


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"drifts": (Drift("a", 0.4, 0.5, 0, 0), Drift(MARGIN, 0.01, 0.6, 0, 0))}, "features"),
        ({"drifts": (Drift("a", 0.05, 0.5, 0, 0), Drift(MARGIN, 0.4, 0.6, 0, 0))}, "scores"),
        ({"skills": skills(300, (1.3, 1.9), (0.8, 1.3))}, "expected per observed"),
        ({"skills": skills(300, (0.4, 0.7), (0.8, 1.3))}, "expected per observed"),
        ({"skills": skills(300, (0.9, 1.1), (0.3, 0.7))}, "slope"),
        ({"training_labels": 1000}, "new labels"),
        ({"age_days": 400}, "age"),
        ({"report_days": 90.0}, "label delay"),
    ],
)
def test_each_rule_asks_alone(changes: dict[str, Any], rule: str) -> None:
    assert broken(**changes) == [rule]


def test_a_shifted_feature_that_carries_little_does_not_ask() -> None:
    moved = (Drift("b", 0.9, 0.5, 0, 0), Drift("a", 0.05, 0.5, 0, 0), Drift(MARGIN, 0.01, 0.6, 0, 0))
    assert broken(drifts=moved, importance={"a": 0.9, "b": 0.1}) == []


def test_intervals_that_reach_into_the_range_and_few_labels_do_not_ask() -> None:
    assert broken(skills=skills(300, (1.2, 1.9), (0.3, 0.85))) == []
    assert broken(skills=skills(50, (1.3, 1.9), (0.3, 0.7))) == []
    assert broken(skills=None, tests=pd.DataFrame({"failed": []}), report_days=None) == []


def test_a_model_without_a_frame_asks_since_its_scores_cannot_be_watched() -> None:
    assert broken(drifts=()) == ["scores"]


def test_an_observation_is_written_as_numbers() -> None:
    result = observation_to_json(watch())
    assert result["psi"] == {"a": 0.05, "b": 0.02, MARGIN: 0.01}
    assert result["since"]["claims"]["model"]["slope_interval"] == [0.8, 1.3]
