"""The explainer answers for every kind of model and table what LightGBM and shap answer, or with a sentence."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from models.treeshap import Explainer, UnsupportedModel

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # shap 0.51 calls what matplotlib 3.11 deprecates
    import shap

QUIET = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5, "num_leaves": 7}
RNG = np.random.default_rng(5)
NUMBERS = RNG.normal(size=(200, 4))
NUMBERS[::9, 1] = np.nan
TARGET = np.where(NUMBERS[:, 0] > 0, 2.0, 0.0) + (NUMBERS[:, 2] > 0.3)


def grow(objective: str, **settings: Any) -> lightgbm.Booster:
    """Five small trees on the numbers."""
    target = np.minimum(TARGET, 1) if objective in ("binary", "cross_entropy") else TARGET
    group = [100, 100] if objective == "lambdarank" else None
    data = lightgbm.Dataset(NUMBERS, target, group=group)
    return lightgbm.train({**QUIET, "objective": objective, **settings}, data, 5)


@pytest.mark.parametrize(
    "objective", ["binary", "cross_entropy", "regression", "poisson", "tweedie", "gamma", "quantile", "lambdarank"]
)
def test_values_of_every_objective_sum_to_the_raw_score(objective: str) -> None:
    if objective == "gamma":  # gamma needs targets above 0
        booster = lightgbm.train({**QUIET, "objective": "gamma"}, lightgbm.Dataset(NUMBERS, TARGET + 1), 5)
    else:
        booster = grow(objective)
    explainer = Explainer(booster)
    expected = np.asarray(booster.predict(NUMBERS, pred_contrib=True))
    assert_allclose(explainer.shap_values(NUMBERS), expected[:, :-1], rtol=0, atol=1e-9)
    assert explainer.expected_value == pytest.approx(expected[0, -1], abs=1e-9)


@pytest.mark.parametrize("objective", ["multiclass", "multiclassova"])
def test_classes_are_the_last_axis_as_in_shap(objective: str) -> None:
    booster = grow(objective, num_class=4)
    ours, theirs = Explainer(booster), shap.TreeExplainer(booster)
    assert_allclose(ours.shap_values(NUMBERS), theirs.shap_values(NUMBERS), rtol=0, atol=1e-9)
    assert_allclose(ours.expected_value, np.ravel(theirs.expected_value), rtol=0, atol=1e-9)
    pairs = ours.shap_interaction_values(NUMBERS[:20])
    assert pairs.shape == (20, 4, 4, 4)
    assert_allclose(pairs.sum(axis=2), ours.shap_values(NUMBERS[:20]), rtol=0, atol=1e-9)


def test_a_random_forest_has_the_values_of_lightgbm() -> None:
    booster = grow("regression", boosting="rf", bagging_freq=1, bagging_fraction=0.5)
    expected = np.asarray(booster.predict(NUMBERS, pred_contrib=True))
    assert_allclose(Explainer(booster).shap_values(NUMBERS), expected[:, :-1], rtol=0, atol=1e-9)


def test_a_booster_an_estimator_a_file_and_its_text_are_one_model(tmp_path: Path) -> None:
    estimator = lightgbm.LGBMRegressor(n_estimators=5, num_leaves=7, verbosity=-1).fit(NUMBERS, TARGET)
    estimator.booster_.save_model(tmp_path / "model.txt")
    models = (estimator, estimator.booster_.model_to_string(), tmp_path / "model.txt", str(tmp_path / "model.txt"))
    expected = Explainer(estimator.booster_).shap_values(NUMBERS)
    for model in models:
        assert_array_equal(Explainer(model).shap_values(NUMBERS), expected)


def test_only_the_trees_up_to_the_best_iteration_count() -> None:
    data = lightgbm.Dataset(NUMBERS, TARGET)
    booster = lightgbm.train({**QUIET, "objective": "regression"}, data, 9)
    booster.best_iteration = 4
    expected = np.asarray(booster.predict(NUMBERS, pred_contrib=True))
    assert_allclose(Explainer(booster).shap_values(NUMBERS), expected[:, :-1], rtol=0, atol=1e-9)


def test_a_model_without_trees_answers_zeros() -> None:
    booster = lightgbm.Booster(QUIET, lightgbm.Dataset(NUMBERS, TARGET))
    explainer = Explainer(booster)
    assert_array_equal(explainer.shap_values(NUMBERS), np.zeros_like(NUMBERS))
    assert_array_equal(explainer.shap_interaction_values(NUMBERS), np.zeros((200, 4, 4)))
    assert explainer.expected_value == 0.0


def test_a_model_of_leaves_alone_and_one_of_one_tree_are_explained() -> None:
    data = lightgbm.Dataset(np.zeros((30, 2)), np.full(30, 2.5))
    alone = Explainer(lightgbm.train({**QUIET, "min_data_in_leaf": 99}, data, 2))
    assert_array_equal(alone.shap_interaction_values(np.ones((3, 2))), np.zeros((3, 2, 2)))
    assert alone.expected_value == pytest.approx(2.5)
    one = lightgbm.train(QUIET, lightgbm.Dataset(NUMBERS, TARGET), 1)
    expected = np.asarray(one.predict(NUMBERS, pred_contrib=True))[:, :-1]
    assert_allclose(Explainer(one).shap_values(NUMBERS), expected, rtol=0, atol=1e-9)


def frame_of(words: list[str | None]) -> pd.DataFrame:
    """A frame of two categoricals, of words and of numbers, and two numeric columns."""
    n = len(words)
    return pd.DataFrame({
        "word": pd.Categorical(words), "price eur": np.arange(n) % 7 / 2, "size": pd.Categorical(np.arange(n) % 5 * 10),
        "sold": np.arange(n) % 2 == 0,
    })  # fmt: skip


TRAINING = frame_of([(None, "red", "blue", "green")[n % 4] for n in range(240)])
ON_FRAMES = lightgbm.train(
    {**QUIET, "min_data_per_group": 5, "cat_smooth": 1.0, "objective": "regression"},
    lightgbm.Dataset(TRAINING, (TRAINING["word"] == "red") * 2.0 + TRAINING["size"].astype(float) / 20),
    6,
)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["red", "blue", "green", "violet", None]), min_size=1, max_size=12))
def test_pandas_categories_are_coded_as_lightgbm_codes_them(words: list[str | None]) -> None:
    """Also in another order than in training, with categories that training never saw, and missing."""
    frame = frame_of(words)
    expected = np.asarray(ON_FRAMES.predict(frame, pred_contrib=True))[:, :-1]
    assert_allclose(Explainer(ON_FRAMES).shap_values(frame), expected, rtol=0, atol=1e-9)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    assert_array_equal(Explainer(ON_FRAMES).shap_values(table), Explainer(ON_FRAMES).shap_values(frame))


@settings(max_examples=20, deadline=None)
@given(st.permutations(["word", "price eur", "size", "sold"]), st.booleans())
def test_columns_are_matched_by_name_in_any_order_with_spaces_as_underscores(
    order: list[str], underscored: bool
) -> None:
    """LightGBM writes `price_eur` into its model for a column `price eur`."""
    frame = TRAINING[order].rename(columns={"price eur": "price_eur"} if underscored else {})
    expected = Explainer(ON_FRAMES).shap_values(TRAINING)
    assert_array_equal(Explainer(ON_FRAMES).shap_values(frame), expected)
    assert_array_equal(Explainer(ON_FRAMES).shap_values(pa.Table.from_pandas(frame, preserve_index=False)), expected)
    assert list(Explainer(ON_FRAMES)(frame).data[1]) == list(TRAINING.iloc[1])


def test_an_arrow_table_in_chunks_with_nulls_is_read() -> None:
    chunks = pa.chunked_array([pa.array(["red", None]).dictionary_encode(), pa.array(["blue"]).dictionary_encode()])
    sizes = pa.array([0, 40, None]).dictionary_encode()
    table = pa.table({"word": chunks, "price eur": pa.array([1, None, 3]), "size": sizes, "sold": [True, None, False]})
    frame = pd.DataFrame({
        "word": pd.Categorical(["red", None, "blue"]), "price eur": [1.0, np.nan, 3.0],
        "size": pd.Categorical([0, 40, None]), "sold": [1.0, np.nan, 0.0],
    })  # fmt: skip
    assert_array_equal(Explainer(ON_FRAMES).shap_values(table), Explainer(ON_FRAMES).shap_values(frame))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda f: f.drop(columns="size"),
            r"columns of the model, got 3; missing: size; not of the model, or twice: none\. Pass",
        ),
        (lambda f: f.rename(columns={"word": "term"}), "missing: word; not of the model, or twice: term"),
        (lambda f: f.assign(price_eur=1.0), "got 5; missing: none; not of the model, or twice: price eur, price_eur"),
        (lambda f: f.assign(word=1.0), "trained on 2 categorical columns, got 1: size"),
        (lambda f: f.assign(sold="yes"), "Column sold is .*, which is neither a number nor a category"),
        (lambda f: f.to_numpy(), "must be numbers, got ndarray"),
        (lambda _: np.zeros((3, 5)), r"reads 4 features, got an array of shape \(3, 5\)"),
        (lambda _: np.zeros(4), r"a single row is row\.reshape"),
        (lambda _: [["a"]], "must be numbers, got list"),
    ],
)
def test_other_tables_are_refused_with_a_sentence(change: Callable[[pd.DataFrame], Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Explainer(ON_FRAMES).shap_values(change(frame_of(["red", "blue"])))


@pytest.mark.parametrize("model", [None, shap, "version=v4\nfoo"])
def test_what_is_no_model_is_refused(model: Any) -> None:
    with pytest.raises(UnsupportedModel, match="Pass"):
        Explainer(model)


def test_threads_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="counted from 1, got 0"):
        Explainer(ON_FRAMES, threads=0)


def test_a_call_gives_what_the_plots_of_shap_draw() -> None:
    explanation = Explainer(ON_FRAMES)(TRAINING)
    assert isinstance(explanation, shap.Explanation)
    total = np.sum(explanation.values, axis=1) + explanation.base_values
    assert_allclose(total, np.asarray(ON_FRAMES.predict(TRAINING, raw_score=True)), rtol=0, atol=1e-9)
    assert explanation.feature_names == ["word", "price_eur", "size", "sold"]
    assert explanation.data.shape == (240, 4)


def test_without_shap_a_call_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(ImportError, match=r"Run pip install shap"):
        Explainer(ON_FRAMES)(TRAINING)
