"""A row's score is its own: exact, alone or in company, and its contributions add up."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data.errors import UserError
from features.registry import FEATURE_NAMES
from models import scorer as scorer_module
from models.artifact import Artifact
from models.reasons import top_reasons
from models.scorer import Scorer, Scores
from models.treeshap import Contributions, Engine, UnsupportedModel
from tests.models.worlds import tiny_matrix, tiny_outcomes

WIDTH = len(FEATURE_NAMES)
NAMES = ("margin", "contributions", "p_fail", "p_low", "p_high")
ANY_MATRIX = st.integers(1, 8).flatmap(
    lambda rows: arrays(float, (rows, WIDTH), elements=st.floats(allow_nan=True, allow_infinity=True, width=64))
)


@pytest.fixture(scope="module")
def scorer(artifact: Artifact) -> Scorer:
    """The small model, loaded."""
    return Scorer(artifact)


def taken(scores: Scores, rows: object) -> list[np.ndarray]:
    """All per-row arrays of `scores` at `rows`."""
    return [getattr(scores, name)[rows] for name in NAMES]


@settings(max_examples=60, deadline=None)
@given(matrix=ANY_MATRIX)
def test_contributions_and_base_value_sum_to_the_margin(scorer: Scorer, matrix: np.ndarray) -> None:
    """Contributions and base value sum to the margin."""
    scores = scorer.score(matrix)
    assert np.abs(scores.contributions.sum(axis=1) + scores.base_value - scores.margin).max() < 1e-9


@settings(max_examples=40, deadline=None)
@given(matrix=ANY_MATRIX)
def test_the_interval_holds_the_probability_inside_0_and_1(scorer: Scorer, matrix: np.ndarray) -> None:
    """The interval holds the probability inside 0 and 1."""
    scores = scorer.score(matrix)
    assert (scores.p_low > 0).all()
    assert (scores.p_low <= scores.p_fail).all()
    assert (scores.p_fail <= scores.p_high).all()
    assert (scores.p_high < 1).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), rows=st.integers(2, 40))
def test_permuting_the_rows_permutes_the_scores(scorer: Scorer, seed: int, rows: int) -> None:
    """Permuting the rows permutes the scores."""
    matrix = tiny_matrix(rows, seed)
    order = np.random.default_rng(seed).permutation(rows)
    for moved, stayed in zip(
        taken(scorer.score(matrix[order]), slice(None)), taken(scorer.score(matrix), order), strict=True
    ):
        assert np.array_equal(moved, stayed)


def test_a_row_alone_scores_as_in_company(scorer: Scorer) -> None:
    """A row alone scores as in company."""
    matrix = tiny_matrix(700, seed=4)
    together = scorer.score(matrix)
    for row in (0, 1, 255, 256, 699):
        alone = scorer.score(matrix[row : row + 1])
        for one, many in zip(taken(alone, 0), taken(together, row), strict=True):
            assert np.array_equal(one, many)


def test_threads_change_nothing(artifact: Artifact, scorer: Scorer) -> None:
    """Threads change nothing."""
    matrix = tiny_matrix(300, seed=8)
    for one, two in zip(
        taken(scorer.score(matrix), slice(None)), taken(Scorer(artifact, threads=2).score(matrix), slice(None)),
        strict=True,
    ):  # fmt: skip
        assert np.array_equal(one, two)


def test_contributions_are_those_of_the_shap_library(artifact: Artifact, scorer: Scorer) -> None:
    """Contributions are those of the shap library."""
    import lightgbm

    with warnings.catch_warnings():
        # shap asks matplotlib for colours in a way that matplotlib has begun to warn about.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        import shap

    matrix = tiny_matrix(60, seed=2)
    explainer = shap.TreeExplainer(
        lightgbm.Booster(model_str=artifact.booster_text), feature_perturbation="tree_path_dependent"
    )
    scores = scorer.score(matrix)
    assert np.abs(explainer(matrix).values - scores.contributions).max() < 1e-9


def test_margin_and_probabilities_are_the_same_with_and_without_explanation(scorer: Scorer) -> None:
    """Margin and probabilities are the same with and without explanation."""
    matrix = tiny_matrix(30, seed=3)
    scores, plain = scorer.score(matrix), scorer.probabilities(matrix)
    for name in ("margin", "p_fail", "p_low", "p_high"):
        assert np.array_equal(getattr(scores, name), getattr(plain, name))
    assert np.array_equal(scorer.margin(matrix), scores.margin)


def test_a_higher_margin_never_has_a_lower_probability(scorer: Scorer) -> None:
    """A higher margin never has a lower probability."""
    scores = scorer.score(tiny_matrix(500, seed=6))
    order = np.argsort(scores.margin)
    for curve in (scores.p_fail, scores.p_low, scores.p_high):
        assert (np.diff(curve[order]) >= 0).all()


def test_no_rows_give_no_scores_and_the_same_base_value(scorer: Scorer) -> None:
    """No rows give no scores and the same base value."""
    none, one = scorer.score(tiny_matrix(0, seed=1)), scorer.score(tiny_matrix(1, seed=1))
    assert none.contributions.shape == (0, WIDTH)
    assert len(none.margin) == len(none.p_fail) == len(none.p_low) == len(none.p_high) == 0
    assert none.base_value == one.base_value


def test_a_row_of_which_nothing_is_known_is_scored(scorer: Scorer) -> None:
    """A row of which nothing is known is scored."""
    assert np.isfinite(scorer.score(np.full((1, WIDTH), np.nan)).p_fail).all()


def test_other_memory_layouts_score_the_same(scorer: Scorer) -> None:
    """Other memory layouts score the same."""
    matrix = tiny_matrix(20, seed=7)
    wide = np.zeros((20, WIDTH + 5))
    wide[:, 2 : WIDTH + 2] = matrix
    for layout in (np.asfortranarray(matrix), wide[:, 2 : WIDTH + 2]):
        assert np.array_equal(scorer.score(layout).contributions, scorer.score(matrix).contributions)


@pytest.mark.parametrize("shape", [(3, WIDTH + 1), (3, WIDTH - 1), (WIDTH,), (0, 0), (1, 1, WIDTH)])
def test_a_matrix_of_another_shape_is_refused(scorer: Scorer, artifact: Artifact, shape: tuple[int, ...]) -> None:
    """A matrix of another shape is refused."""
    message = f"Model {artifact.version} reads rows of {WIDTH} features, but was given an array of shape {shape}."
    with pytest.raises(UserError, match=re.escape(message)):
        scorer.score(np.zeros(shape))


def test_a_booster_with_other_features_is_refused(artifact: Artifact) -> None:
    """A booster with other features is refused."""
    names = (artifact.feature_names[1], artifact.feature_names[0], *artifact.feature_names[2:])
    with pytest.raises(UserError, match=r"reads other features than features.json names"):
        Scorer(replace(artifact, feature_names=names))


@pytest.mark.parametrize("failure", [UnsupportedModel("Train again."), OSError("Install LightGBM.")])
def test_a_model_that_lightgbm_cannot_read_is_refused(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """Whatever keeps LightGBM from its contributions is told in a sentence of the model."""

    def refuse(*_: object) -> None:
        raise failure

    monkeypatch.setattr(scorer_module, "contributions_by_lightgbm", refuse)
    with pytest.raises(UserError, match=f"{artifact.version} cannot be held against LightGBM: {failure}"):
        Scorer(artifact)


def test_a_model_file_that_asks_for_early_stopping_is_scored_in_full(artifact: Artifact, scorer: Scorer) -> None:
    """A model file that asks for early stopping is scored in full."""
    asked = artifact.booster_text.replace("[seed:", "[pred_early_stop: 1]\n[pred_early_stop_margin: 0]\n[seed:")
    assert asked != artifact.booster_text
    matrix = tiny_matrix(100, seed=9)
    hasty = Scorer(replace(artifact, booster_text=asked))
    assert np.array_equal(hasty.margin(matrix), scorer.margin(matrix))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), rows=st.integers(1, 40), k=st.integers(0, 7))
def test_the_strongest_contributions_are_the_largest_of_all_to_the_bit(
    scorer: Scorer, seed: int, rows: int, k: int
) -> None:
    """The strongest contributions are the largest of all, and every number is the same to the bit."""
    matrix = tiny_matrix(rows, seed)
    whole, told = scorer.score(matrix), scorer.explain(matrix, k)
    assert np.array_equal(told.strongest, top_reasons(whole.contributions, k))
    assert np.array_equal(told.contributions, np.take_along_axis(whole.contributions, told.strongest, axis=1))
    for name in ("margin", "p_fail", "p_low", "p_high"):
        assert np.array_equal(getattr(told, name), getattr(whole, name))


def test_scores_are_those_of_lightgbm(artifact: Artifact, scorer: Scorer) -> None:
    """Margins and contributions are LightGBM's to 1e-9."""
    import lightgbm

    matrix, booster = tiny_matrix(200, seed=5), lightgbm.Booster(model_str=artifact.booster_text)
    scores = scorer.score(matrix)
    explained = np.asarray(booster.predict(matrix, pred_contrib=True))
    assert np.abs(scores.contributions - explained[:, :-1]).max() < 1e-9
    assert np.abs(scores.base_value - explained[:, -1]).max() < 1e-9
    assert np.abs(scores.margin - np.asarray(booster.predict(matrix, raw_score=True))).max() < 1e-9


def test_a_model_that_the_engine_explains_otherwise_is_refused(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that engine and LightGBM explain differently is refused when it is loaded."""
    explain = Engine.contributions

    def off(engine: Engine, matrix: np.ndarray, threads: int = 1) -> Contributions:
        told = explain(engine, matrix, threads)
        return Contributions(told.values + 2e-9, told.base_value)

    monkeypatch.setattr(Engine, "contributions", off)
    with pytest.raises(UserError, match=r"differ from LightGBM's by 2\.0e-09"):
        Scorer(artifact)


def test_a_linear_tree_is_refused(artifact: Artifact) -> None:
    """A model that cannot be explained exactly is refused with a sentence."""
    import lightgbm

    matrix = tiny_matrix(300, seed=1)
    data = lightgbm.Dataset(
        matrix, tiny_outcomes(matrix, 1).astype(float), feature_name=list(FEATURE_NAMES), params={"linear_tree": True}
    )
    booster = lightgbm.train({"objective": "binary", "linear_tree": True, "verbosity": -1}, data, 3)
    with pytest.raises(UserError, match="cannot be explained"):
        Scorer(replace(artifact, booster_text=booster.model_to_string()))
