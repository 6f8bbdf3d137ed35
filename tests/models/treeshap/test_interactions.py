"""Laws of the interactions, over random boosters."""

import warnings
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from models.treeshap import compile_model
from tests.models.boosters import Grown, Matrix, contributions_by_lightgbm, grow, grown_boosters

law = settings(max_examples=40, deadline=None)


@law
@given(grown=grown_boosters())
def test_interactions_are_symmetric_and_their_lines_sum_to_the_contributions(grown: Grown) -> None:
    """With categories, missing values, features that come back on a path, and leaves without rows."""
    engine = compile_model(grown.booster.model_to_string())
    values, base_value = engine.interactions(grown.rows)
    assert_array_equal(values, values.transpose(0, 2, 1))
    expected = contributions_by_lightgbm(grown.booster, grown.rows)
    assert_allclose(values.sum(axis=2), expected[:, :-1], rtol=0, atol=1e-9)
    assert_allclose(base_value, expected[:, -1], rtol=0, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(grown=grown_boosters())
def test_interactions_equal_their_definition_over_all_subsets(grown: Grown) -> None:
    """Of the game that follows the features it knows and weighs the children of the others by their cover."""
    rows = grown.rows[:2]
    expected = np.array([_by_definition(grown.booster.dump_model()["tree_info"], row) for row in rows])
    values = compile_model(grown.booster.model_to_string()).interactions(rows).values
    off_diagonal = ~np.eye(rows.shape[1], dtype=np.bool_)
    assert_allclose(values[:, off_diagonal], expected[:, off_diagonal], rtol=0, atol=1e-9)


@law
@given(grown=grown_boosters(categories=False, treats_missing=False))
def test_interactions_equal_those_of_shap_on_numbers(grown: Grown) -> None:
    with warnings.catch_warnings():
        # shap and its plotting dependencies announce their own removals while they are imported.
        warnings.simplefilter("ignore")
        import shap

        explainer = shap.TreeExplainer(grown.booster, feature_perturbation="tree_path_dependent")
    assume(explainer.model.fully_defined_weighting)  # shap has no answer for leaves without rows
    assume(grown.rows.shape[1] > 1)
    explainer.model.model_type = "internal"
    explainer.model.model_output = "raw"
    expected = explainer.shap_interaction_values(grown.rows[:10])
    explained = compile_model(grown.booster.model_to_string()).interactions(grown.rows[:10])
    assert_allclose(explained.values, expected, rtol=0, atol=1e-9)


@law
@given(grown=grown_boosters(), threads=st.integers(1, 3), data=st.data())
def test_a_row_has_the_same_interactions_alone_and_in_any_company(
    grown: Grown, threads: int, data: st.DataObject
) -> None:
    """Bit for bit."""
    engine = compile_model(grown.booster.model_to_string())
    order = np.array(data.draw(st.permutations(range(len(grown.rows)))))
    whole = engine.interactions(grown.rows).values
    assert_array_equal(engine.interactions(grown.rows[order], threads).values, whole[order])
    assert_array_equal(engine.interactions(grown.rows[:1]).values, whole[:1])


@law
@given(grown=grown_boosters(), data=st.data())
def test_the_largest_interactions_are_those_of_the_whole_matrix(grown: Grown, data: st.DataObject) -> None:
    """Both cells of a pair together, largest first; pairs that share no path are 0 in the matrix."""
    engine = compile_model(grown.booster.model_to_string())
    k = data.draw(st.integers(0, engine.n_pairs))
    top, whole = engine.top_interactions(grown.rows, k), engine.interactions(grown.rows).values
    at = np.arange(len(grown.rows))[:, None]
    assert (top.first < top.second).all()
    assert_array_equal(top.values, whole[at, top.first, top.second] + whole[at, top.second, top.first])
    above = np.triu_indices(whole.shape[1], 1)
    sizes = -np.sort(-np.abs(2 * whole[:, above[0], above[1]]), axis=1)
    assert_array_equal(np.abs(top.values), sizes[:, :k])
    assert not sizes[:, engine.n_pairs :].any()


def test_features_that_no_tree_tests_together_have_no_interaction() -> None:
    """One feature to a tree adds up: nothing is more together than apart, to the last bit."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(300, 3))
    booster = grow(matrix, matrix[:, 0] + matrix[:, 1], [], trees=10, num_leaves=2)
    engine = compile_model(booster.model_to_string())
    values = engine.interactions(matrix).values
    assert engine.n_pairs == 0
    assert_array_equal(values, engine.contributions(matrix).values[:, :, None] * np.eye(3))
    assert not values[:, 2].any()


def test_what_cannot_be_asked_is_refused() -> None:
    matrix = np.random.default_rng(0).normal(size=(50, 3))
    text = grow(matrix, matrix[:, 0] * matrix[:, 1], [], trees=3).model_to_string()
    with pytest.raises(ValueError, match="precision='float64'"):
        compile_model(text, "float32").interactions(matrix)
    engine = compile_model(text)
    with pytest.raises(ValueError, match=r"k is between 0 and the \d pairs"):
        engine.top_interactions(matrix, 4)
    with pytest.raises(ValueError, match="3 columns"):
        engine.interactions(matrix[:, :2])


def _by_definition(trees: list[dict[str, Any]], row: Matrix) -> Matrix:
    """The interactions (features, features) of a row, off the diagonal; the sum over all subsets of the others."""
    count = len(row)
    games = {known: sum(_expected(tree["tree_structure"], row, known) for tree in trees)
             for size in range(count + 1) for known in map(frozenset, combinations(range(count), size))}  # fmt: skip
    values = np.zeros((count, count))
    for i, j in combinations(range(count), 2):
        others = [each for each in range(count) if each not in (i, j)]
        for size in range(len(others) + 1):
            weight = factorial(size) * factorial(count - size - 2) / factorial(count - 1)
            for known in map(frozenset, combinations(others, size)):
                gain = games[known | {i, j}] - games[known | {i}] - games[known | {j}] + games[known]
                values[i, j] += weight * gain / 2
        values[j, i] = values[i, j]
    return values


def _expected(node: dict[str, Any], row: Matrix, known: frozenset[int]) -> float:
    """The mean of a tree's leaves by cover, of those that a row reaches as far as its features are known."""
    if "split_feature" not in node:
        return float(node["leaf_value"])
    left, right = node["left_child"], node["right_child"]
    if node["split_feature"] in known:
        return _expected(left if _goes_left(node, row[node["split_feature"]]) else right, row, known)
    covers = [float(each.get("internal_count", each.get("leaf_count", 0))) for each in (left, right)]
    share = covers[0] / sum(covers) if sum(covers) else 0.5
    return share * _expected(left, row, known) + (1 - share) * _expected(right, row, known)


def _goes_left(node: dict[str, Any], value: float) -> bool:
    """Whether LightGBM sends a value to the left child."""
    missing = node["missing_type"]
    if node["decision_type"] == "==":
        is_category = not np.isnan(value) and -1 < value < 2**31
        return is_category and str(int(value)) in node["threshold"].split("||")
    if (np.isnan(value) and missing != "NaN") or abs(value) <= np.float32(1e-35):
        value = 0.0
    if (missing == "NaN" and np.isnan(value)) or (missing == "Zero" and value == 0):
        return bool(node["default_left"])
    return bool(value <= node["threshold"])
