"""Examples that no random booster is sure to reach: odd trees, odd covers, odd values, and what is refused."""

from pathlib import Path

import lightgbm
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.treeshap import UnsupportedModel, compile_model
from models.treeshap import simd as compiled_module
from models.treeshap.assembly import rule_for
from models.treeshap.binning import encode
from models.treeshap.kernels import walk_tile
from tests.models.boosters import Matrix, contributions_by_lightgbm, grow, on_the_edges
from tests.models.model_texts import Leaf, Split, chain, model_text, split


def assert_equals_lightgbm(booster: lightgbm.Booster, rows: Matrix) -> None:
    """Contributions and base value, to 1e-9."""
    expected = contributions_by_lightgbm(booster, rows)
    explained = compile_model(booster.model_to_string()).contributions(rows)
    assert_allclose(explained.values, expected[:, :-1], rtol=0, atol=1e-9)
    assert_allclose(explained.base_value, expected[0, -1], rtol=0, atol=1e-9)


def test_a_chain_of_70_distinct_features_equals_lightgbm() -> None:
    """35 quadrature points: more than one walk through the tree."""
    rng = np.random.default_rng(3)
    matrix = np.tril(np.ones((71, 70)))[rng.integers(0, 71, 600)] + rng.normal(size=(600, 70)) * 0.01
    booster = grow(matrix, matrix.sum(axis=1) ** 3, [], trees=3, num_leaves=70, max_bin=4)
    points = np.concatenate([matrix, rng.choice([0.0, 1.0], (40, 70))])
    assert_equals_lightgbm(booster, points)


def test_a_chain_of_300_features_sums_to_its_leaf() -> None:
    engine = compile_model(model_text(chain(300), 300))
    rows = np.random.default_rng(0).choice([-1.0, 1.0], (70, 300))
    first_left = np.argmax(rows <= 0, axis=1)
    assert_allclose(engine.margin(rows), np.where(first_left == 299, 1.0, 0.5 * first_left), atol=1e-9)


def test_a_tree_deeper_than_the_recursion_limit_is_explained() -> None:
    root: Split | Leaf = Leaf(1.0, 1)
    for level in range(3_000):  # 250 thresholds a feature
        root = split(level % 12, Leaf(float(level), 1), root, threshold=-float(level // 12))
    rows = np.ones((2, 12))
    rows[1, 11] = np.nan
    explained = compile_model(model_text(root, 12)).contributions(rows)
    assert_allclose(explained.base_value + explained.values.sum(axis=1), [1.0, 2999.0], rtol=0, atol=1e-9)


def test_a_model_of_single_leaves_gives_zeros_and_its_value_as_base() -> None:
    booster = grow(np.zeros((30, 2)), np.full(30, 2.5), [], min_data_in_leaf=1000)
    engine = compile_model(booster.model_to_string())
    explained = engine.contributions(np.ones((3, 2)))
    assert_array_equal(explained.values, 0.0)
    assert explained.base_value == pytest.approx(2.5)
    assert_allclose(engine.margin(np.ones((3, 2))), 2.5)


def test_no_row_gives_an_empty_answer() -> None:
    engine = compile_model(model_text(chain(3), 3))
    assert engine.contributions(np.empty((0, 3))).values.shape == (0, 3)
    assert engine.top(np.empty((0, 3)), 2, threads=2).features.shape == (0, 2)


def test_covers_of_zero_rows_give_finite_contributions_that_sum_to_the_margin() -> None:
    """LightGBM divides by the cover and answers NaN; a share of 0 is its limit, and 0 of 0 rows are halves."""
    empty = split(1, Leaf(3.0, 0), split(0, Leaf(5.0, 0), Leaf(7.0, 0), threshold=2.0))
    engine = compile_model(model_text(split(0, Leaf(1.0, 10), empty), 2))
    explained = engine.contributions(np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [3.0, 1.0]]))
    assert explained.base_value == 1.0
    assert_allclose(1.0 + explained.values.sum(axis=1), [1.0, 3.0, 5.0, 7.0], atol=1e-12)
    assert_array_equal(explained.values[0], 0.0)


def test_a_tiny_cover_beside_a_huge_one_equals_the_limit() -> None:
    engine = compile_model(model_text(split(0, Leaf(1.0, 10**12), split(1, Leaf(0.0, 1), Leaf(8.0, 10**9))), 2))
    explained = engine.contributions(np.array([[1.0, -1.0]]))
    assert_allclose(explained.base_value + explained.values.sum(), 0.0, atol=1e-9)


@pytest.mark.parametrize("bins", [254, 255, 256, 700])
def test_many_thresholds_of_one_feature_equal_lightgbm(bins: int) -> None:
    rng = np.random.default_rng(bins)
    matrix = rng.normal(size=(2_000, 2))
    booster = grow(matrix, rng.normal(size=2_000), [], trees=4, num_leaves=bins, max_bin=bins)
    assert_equals_lightgbm(booster, on_the_edges(booster, matrix, [], rng))


def test_more_than_1023_categories_equal_lightgbm() -> None:
    rng = np.random.default_rng(5)
    matrix = np.column_stack([rng.integers(0, 1_500, 6_000), rng.normal(size=6_000)]).astype(float)
    booster = grow(matrix, np.sin(matrix[:, 0]) + rng.normal(size=6_000), [0], max_bin=2_000, max_cat_threshold=1_000)
    assert_equals_lightgbm(booster, on_the_edges(booster, matrix, [0], rng))


def test_splits_of_one_feature_may_treat_missing_values_differently() -> None:
    """Training goes on from a first booster with other settings."""
    rng = np.random.default_rng(8)
    matrix = rng.normal(size=(300, 2))
    matrix[::3] = np.nan
    matrix[::5] = 0.0
    target = rng.normal(size=300)
    settings = {"objective": "regression", "verbose": -1, "min_data_in_leaf": 1}
    first = lightgbm.train(settings, lightgbm.Dataset(matrix, target), 3)
    zeros = lightgbm.Dataset(matrix, target, params={"zero_as_missing": True})
    booster = lightgbm.train({**settings, "zero_as_missing": True}, zeros, 3, init_model=first)
    text = str(booster.dump_model())
    assert "'NaN'" in text
    assert "'Zero'" in text
    assert_equals_lightgbm(booster, on_the_edges(booster, matrix, [], rng))


@pytest.mark.parametrize("points", range(1, 40))
def test_the_quadrature_is_exact_for_the_highest_degree_it_promises(points: int) -> None:
    rule = rule_for(2 * points)
    assert len(rule.points) == points
    degree = 2 * points - 1
    assert np.sum(rule.weights * rule.points**degree) == pytest.approx(1 / (degree + 1), rel=1e-12)
    assert_allclose(rule.points + rule.complements, 1.0, rtol=1e-15)


def test_float32_loses_nothing_over_a_thousand_trees() -> None:
    """Contributions are added up in float64: one by one in float32, the sum would be off by 1e-6 and more."""
    rng = np.random.default_rng(4)
    matrix = rng.normal(size=(500, 4))
    booster = grow(matrix, matrix[:, 0] * 3 + rng.normal(size=500), [], trees=1_000, learning_rate=0.01, num_leaves=15)
    text = booster.model_to_string()
    exact = compile_model(text).contributions(matrix).values
    assert np.abs(exact).max() > 4.0
    assert_allclose(compile_model(text, "float32").contributions(matrix).values, exact, rtol=0, atol=5e-7)


def test_float32_keeps_its_digits_when_all_leaves_are_far_from_zero() -> None:
    """What leaves of a tree have in common moves the base value alone."""
    rng = np.random.default_rng(7)
    matrix = rng.normal(size=(300, 3))
    booster = grow(matrix, 1e6 + matrix[:, 0] + rng.normal(size=300), [], trees=3, learning_rate=1.0, num_leaves=31)
    text = booster.model_to_string()
    exact, rounded = (compile_model(text, precision).contributions(matrix) for precision in ("float64", "float32"))
    assert rounded.base_value == exact.base_value > 9e5
    assert_allclose(rounded.values, exact.values, rtol=0, atol=2e-6)


def test_linear_trees_are_refused_with_a_sentence() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(100, 2))
    booster = grow(matrix, matrix[:, 0], [], linear_tree=True)
    with pytest.raises(UnsupportedModel, match=r"tree 0 has linear leaves\. Train with linear_tree=false"):
        compile_model(booster.model_to_string())


def test_several_outputs_are_refused_with_a_sentence() -> None:
    rng = np.random.default_rng(0)
    booster = grow(rng.normal(size=(90, 2)), np.arange(90.0) % 3, [], objective="multiclass", num_class=3)
    with pytest.raises(UnsupportedModel, match="grows 3 trees per iteration"):
        compile_model(booster.model_to_string())


@pytest.mark.parametrize(
    ("change", "to", "sentence"),
    [
        ("decision_type=10", "decision_type=14", "missing type beside None, Zero and NaN"),
        ("threshold=0.0", "threshold=nan", "a leaf or a threshold that is not a number"),
        ("leaf_value=0.0", "leaf_value=inf", "a leaf or a threshold that is not a number"),
        ("threshold=0.0", "threshold=", "threshold has 1 numbers where 2 belong"),
        ("split_feature=0", "split_feature=2", "another feature than its 2"),
        ("left_child=-1", "left_child=-9", "left_child has a number beyond the tree"),
        ("left_child=-1", "left_child=-2", "its splits and leaves are no trees"),
        ("left_child=-1", "left_child=0", "its splits and leaves are no trees"),
        ("decision_type=10", "decision_type=1", "categorical splits and their sets"),
        ("leaf_count=", "leaf_counts=", "damaged: 'leaf_count'"),
    ],
)
def test_a_damaged_file_is_refused_with_a_sentence(change: str, to: str, sentence: str) -> None:
    """Whatever could lead a kernel, which does not check, out of its arrays."""
    whole = model_text(chain(2), 2)
    assert change in whole
    with pytest.raises(UnsupportedModel, match=sentence):
        compile_model(whole.replace(change, to, 1))


def test_a_text_that_is_no_model_file_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match=r"booster.model_to_string\(\)"):
        compile_model("tree\nversion=v2\n")


def test_a_wrong_matrix_precision_or_count_is_refused_with_a_sentence() -> None:
    engine = compile_model(model_text(chain(3), 3))
    rows = np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"3 columns, got shape \(4, 2\)"):
        engine.contributions(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="got float32"):
        engine.margin(rows.astype(np.float32))
    with pytest.raises(ValueError, match="row by row"):
        engine.margin(np.asfortranarray(rows))
    with pytest.raises(ValueError, match="counted from 1, got 0"):
        engine.margin(rows, threads=0)
    with pytest.raises(ValueError, match="between 0 and the 3 features of the model, got 4"):
        engine.top(rows, 4)
    with pytest.raises(ValueError, match="'float64' or 'float32', got 'half'"):
        compile_model(model_text(chain(3), 3), "half")  # type: ignore[arg-type]


def test_a_cached_kernel_is_out_of_date_when_any_source_of_the_package_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numba alone would look at the kernel's own file only."""
    assert {kernel._cache._cache_file._source_stamp for kernel in (encode, walk_tile)} == {compiled_module.SOURCES}
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("before", encoding="utf-8")
    monkeypatch.setattr(compiled_module, "__file__", str(tmp_path / "a.py"))
    before = compiled_module._sources_digest()
    (tmp_path / "b.py").write_text("after", encoding="utf-8")
    assert compiled_module._sources_digest() != before


def test_a_kernel_is_compiled_also_where_no_cache_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])
    double = compiled_module.compile_kernel(lambda number: 2 * number)
    assert double(21) == 42
    assert double.stats.cache_path is None
