"""New suppliers, SKUs and categories: separated by what was known on the day, never by what came later."""

import json
from datetime import date

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.registry import CATALOGUE
from models.treeshap import compile_model
from tests.training.worlds import small_recipe
from training.evaluation.diagnostics import (
    cold_start_masks,
    evaluate_cold_start,
    evaluate_labs,
    evaluate_schedule,
    jaccard,
    simulate_schedule,
    strongest_interactions,
)
from training.evaluation.skill import EvaluationSet, Predictions
from training.fitting.lab_effects import UNKNOWN_LABS, LabEffects
from training.metrics import Floats, sigmoid

UNITS = st.lists(st.tuples(st.integers(0, 20), st.integers(-3, 3).map(float), st.booleans()), min_size=2, max_size=60)


def held_out(failed: list[bool], replicates: int = 0) -> EvaluationSet:
    """Outcomes that weigh alike, and resampled ones."""
    draw = np.random.default_rng(1)
    weights = np.vstack([np.ones(len(failed)), draw.poisson(1, (replicates, len(failed)))])
    return EvaluationSet(np.array(failed), weights)


@given(UNITS)
def test_as_many_units_are_tested_on_as_many_days(units: list[tuple[int, float, bool]]) -> None:
    days, score = np.array([unit[0] for unit in units]), np.array([unit[1] for unit in units])
    new, first = simulate_schedule(days, score)
    assert new.sum() == pytest.approx(days.sum())
    assert first.sum() == pytest.approx(len(units) / 2)
    assert ((first >= 0) & (first <= 1)).all()
    distinct = simulate_schedule(days, np.arange(len(units), dtype=np.float64))[0]
    assert sorted(distinct) == sorted(days), "daily capacity is kept"


@given(UNITS)
def test_a_riskier_unit_is_never_tested_later(units: list[tuple[int, float, bool]]) -> None:
    days, score = np.array([unit[0] for unit in units]), np.array([unit[1] for unit in units])
    new, first = simulate_schedule(days, score)
    order = np.argsort(-score, kind="stable")
    assert (np.diff(new[order]) >= 0).all()
    assert (np.diff(first[order]) <= 1e-12).all()


@given(UNITS)
def test_the_order_as_it_was_gains_nothing(units: list[tuple[int, float, bool]]) -> None:
    days = np.array([unit[0] for unit in units])
    result = evaluate_schedule(days, -days.astype(float), held_out([unit[2] for unit in units]))
    if not result["too_few"]:
        assert result["days_earlier"] == pytest.approx(0)
        assert result["first_half"] == pytest.approx(result["first_half_as_it_was"])


def test_hindsight_finds_every_failure_in_the_first_half_and_chance_half_of_them() -> None:
    days, failed = np.arange(10), [False] * 6 + [True] * 4
    best = evaluate_schedule(days, np.array(failed, dtype=float), held_out(failed))
    assert (best["days_earlier"], best["first_half"], best["first_half_as_it_was"]) == (6.0, 1.0, 0.0)
    blind = evaluate_schedule(days, np.zeros(10), held_out(failed))
    assert (blind["days_earlier"], blind["first_half"]) == (3.0, 0.5)


def test_the_interval_holds_the_gain() -> None:
    draw = np.random.default_rng(3)
    failed = draw.random(300) < 0.2
    score = draw.normal(size=300) + failed
    result = evaluate_schedule(draw.integers(60, size=300), score, held_out(failed.tolist(), 200))
    low, high = result["days_earlier_interval"]
    assert 0 < low < result["days_earlier"] < high


@pytest.mark.parametrize("failed", [[], [True], [False, False, False]])
def test_nothing_to_find_is_too_few(failed: list[bool]) -> None:
    result = evaluate_schedule(np.arange(len(failed)), np.zeros(len(failed)), held_out(failed))
    assert result == {"units": len(failed), "failures": sum(failed), "too_few": True}


EFFECT = LabEffects({"a": 1.5, "b": -1.5}, {"a": 0.5, "b": 0.5}, 1.5, 1e-9)


def two_labs(of_product: float) -> tuple[pd.DataFrame, Floats]:
    """Tests whose outcome depends on the product's margin, times `of_product`, and on the laboratory."""
    draw = np.random.default_rng(1)
    margin, lab = draw.normal(0, 1, 4000), draw.choice(["a", "b"], 4000)
    failed = draw.random(4000) < sigmoid(of_product * margin + np.where(lab == "a", 1.5, -1.5))
    suppliers = draw.integers(200, size=4000).astype(str)
    return pd.DataFrame({"failed": failed, "lab_id": lab, "supplier_id": suppliers}), margin


def test_where_only_laboratories_decide_all_of_the_lift_is_theirs() -> None:
    """Scores that know nothing of products look skilled as long as the laboratory is known."""
    tests, margin = two_labs(of_product=0.0)
    result = evaluate_labs(tests, 0.01 * margin, 0.01 * margin, EFFECT, 60, 1)
    assert result.auc_lab_known.value > 0.75
    assert result.auc_lab_averaged.low < 0.5 < result.auc_lab_averaged.high
    assert result.share_of_lift.value == pytest.approx(1, abs=0.1)


def test_where_both_decide_part_of_the_lift_is_theirs() -> None:
    tests, margin = two_labs(of_product=1.0)
    result = evaluate_labs(tests, margin, margin, EFFECT, 60, 1)
    assert 0.2 < result.share_of_lift.low < result.share_of_lift.high < 0.8
    assert result.auc_gain.low > 0.05
    assert result.auc_lab_blind == result.auc_lab_averaged


def test_without_laboratories_nothing_is_theirs() -> None:
    tests, margin = two_labs(of_product=1.0)
    result = evaluate_labs(tests.assign(lab_id=None), margin, margin, UNKNOWN_LABS, 20, 1)
    assert result.auc_gain.value == 0
    assert result.auc_of_labs_alone.value == pytest.approx(0.5)
    json.dumps(result.to_json(), allow_nan=False)


def test_worked_examples() -> None:
    """Three of four shared: 3 / 5; none: 0; the order does not matter."""
    assert jaccard(np.array([[1, 2, 3, 4]]), np.array([[4, 3, 2, 9]])) == 3 / 5
    assert jaccard(np.array([[1, 2]]), np.array([[3, 4]])) == 0
    assert jaccard(np.array([[1, 2], [1, 2]]), np.array([[2, 1], [3, 4]])) == 0.5


@given(st.integers(0, 1000), st.integers(1, 5))
def test_it_is_symmetric_between_0_and_1_and_1_for_equal_reasons(seed: int, count: int) -> None:
    draw = np.random.default_rng(seed)
    first, second = (np.array([draw.permutation(8)[:count] for _ in range(5)]) for _ in range(2))
    assert 0 <= jaccard(first, second) <= 1
    assert jaccard(first, second) == jaccard(second, first)
    assert jaccard(first, first) == 1


UNTIL = date(2025, 3, 1)


def labels_of(rows: list[tuple[str, str, str, str, str]]) -> pd.DataFrame:
    """Labels (supplier, SKU, category, drawn, known) in one market."""
    labels = pd.DataFrame(rows, columns=["supplier_id", "sku_id", "category", "as_of", "known_on"])
    days = {name: pd.to_datetime(labels[name]) for name in ("as_of", "known_on")}
    return labels.assign(market="EU", **days)


def test_what_was_known_before_the_day_is_not_new() -> None:
    labels = labels_of([
        ("a", "k1", "toys", "2025-01-01", "2025-02-01"),
        ("a", "k1", "toys", "2025-02-01", "2025-03-15"),  # the first report came on this day, too late for it
        ("a", "k1", "toys", "2025-02-02", "2025-03-15"),
        ("a", "k2", "toys", "2025-02-02", "2025-03-15"),
        ("b", "k3", "lamps", "2025-04-01", "2025-04-15"),
    ])  # fmt: skip
    rows = cold_start_masks(labels, np.array([1, 2, 3, 4]), UNTIL)
    assert rows["new supplier"].tolist() == [True, False, False, True]
    assert rows["new SKU"].tolist() == [True, False, True, True]
    assert rows["new category"].tolist() == [False, False, False, True]
    assert (rows["known supplier"] == ~rows["new supplier"]).all()


def test_a_sku_in_another_market_is_another_sku() -> None:
    days = [("2025-01-01", "2025-01-02"), ("2025-02-01", "2025-04-02")]
    labels = labels_of([("a", "k1", "toys", *each) for each in days])
    labels.loc[1, "market"] = "US"
    rows = cold_start_masks(labels, np.array([1]), UNTIL)
    assert rows["new SKU"].tolist() == [True]
    assert rows["new category"].tolist() == [True]
    assert rows["new supplier"].tolist() == [False]


def test_too_few_is_said_with_the_base_rate_alone() -> None:
    draw = np.random.default_rng(1)
    margin = draw.normal(-1, 1, 200)
    failed = draw.random(200) < sigmoid(margin)
    held_out = EvaluationSet(failed, np.vstack([np.ones(200), draw.poisson(1, (40, 200))]), budget=20)
    few = np.arange(200) < 20
    rows = {"new": few, "known": ~few, "none": few & ~few}
    new, known, none = evaluate_cold_start(
        Predictions(margin, sigmoid(margin)), held_out, rows, small_recipe().evaluation
    )
    assert (new["rows"], new["n"], new["failures"], new["too_few"]) == ("new", 20, int(failed[:20].sum()), True)
    assert new["base_rate_interval"][0] <= new["base_rate"] <= new["base_rate_interval"][1]
    assert "auc" not in new
    assert (none["n"], none["base_rate"], none["too_few"]) == (0, None, True)
    assert not known["too_few"]
    assert known["auc_interval"][0] < known["auc"] < known["auc_interval"][1]
    assert known["budget"]["of"] == 180


def test_the_strongest_interactions_are_the_largest_means_of_all_pairs() -> None:
    """Each pair once, in plain words, the largest first; what does not interact is not told."""
    draw, features = np.random.default_rng(3), CATALOGUE[:5]
    matrix = draw.normal(size=(300, 5))
    target = matrix[:, 0] * matrix[:, 1] + 0.4 * matrix[:, 2] * matrix[:, 3] + matrix[:, 4]
    settings = {"objective": "regression", "num_leaves": 6, "min_data_in_leaf": 20, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(matrix, target), 30)
    engine = compile_model(booster.model_to_string())
    rows = strongest_interactions(engine, matrix, features)
    means = 2 * np.abs(engine.interactions(matrix).values).mean(axis=0)
    expected = {frozenset((i, j)): means[i, j] for i in range(5) for j in range(i) if means[i, j] > 0}
    named = {frozenset(int(features.index(each)) for each in features if each.name in row["features"]): row["size"]
             for row in rows}  # fmt: skip
    assert named == pytest.approx(expected)
    assert [row["size"] for row in rows] == sorted(named.values(), reverse=True)
    meanings = {feature.name: feature.meaning for feature in features}
    assert all(row["meanings"] == [meanings[name] for name in row["features"]] for row in rows)
    alone = lightgbm.train({**settings, "num_leaves": 2}, lightgbm.Dataset(matrix, target), 5)
    assert strongest_interactions(compile_model(alone.model_to_string()), matrix, features) == []
