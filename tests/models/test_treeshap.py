"""Laws of the contributions, over random boosters."""

import warnings

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from models.treeshap import compile_model
from tests.models.boosters import Grown, contributions_by_lightgbm, grow, grown_boosters, thresholds

law = settings(max_examples=60, deadline=None)


@law
@given(grown=grown_boosters())
def test_contributions_and_base_value_equal_those_of_lightgbm(grown: Grown) -> None:
    """Also on thresholds, at infinities, for unseen categories and for every missing type."""
    expected = contributions_by_lightgbm(grown.booster, grown.rows)
    explained = compile_model(grown.booster.model_to_string()).contributions(grown.rows)
    assert_allclose(explained.values, expected[:, :-1], rtol=0, atol=1e-9)
    assert_allclose(explained.base_value, expected[:, -1], rtol=0, atol=1e-9)


@law
@given(grown=grown_boosters(categories=False, treats_missing=False))
def test_contributions_equal_those_of_the_algorithm_of_shap(grown: Grown) -> None:
    """Shap hands LightGBM models to LightGBM unless it takes them for its own; it knows no zero-as-missing."""
    with warnings.catch_warnings():
        # shap and its plotting dependencies announce their own removals while they are imported.
        warnings.simplefilter("ignore")
        import shap

        explainer = shap.TreeExplainer(grown.booster, feature_perturbation="tree_path_dependent")
    assume(explainer.model.fully_defined_weighting)  # shap has no answer for leaves without rows
    explainer.model.model_type = "internal"
    explainer.model.model_output = "raw"
    expected = explainer.shap_values(grown.rows, check_additivity=False)
    explained = compile_model(grown.booster.model_to_string()).contributions(grown.rows)
    assert_allclose(explained.values, expected, rtol=0, atol=1e-9)


@law
@given(grown=grown_boosters(), precision=st.sampled_from(["float64", "float32"]))
def test_contributions_and_base_value_sum_to_the_raw_margin(grown: Grown, precision: str) -> None:
    """To 1e-9 in float64 and to 1e-6 of the largest contribution in float32."""
    raw = np.asarray(grown.booster.predict(grown.rows, raw_score=True))
    engine = compile_model(grown.booster.model_to_string(), precision)  # type: ignore[arg-type]
    explained = engine.contributions(grown.rows)
    tolerance = 1e-9 if precision == "float64" else 1e-6 * max(1.0, float(np.abs(explained.values).max(initial=0.0)))
    assert_allclose(explained.base_value + explained.values.sum(axis=1, dtype=np.float64), raw, rtol=0, atol=tolerance)
    assert_allclose(engine.margin(grown.rows), raw, rtol=0, atol=tolerance)


@law
@given(grown=grown_boosters())
def test_float32_differs_from_float64_by_less_than_1e_6_of_the_largest_contribution(grown: Grown) -> None:
    exact = compile_model(grown.booster.model_to_string()).contributions(grown.rows).values
    rounded = compile_model(grown.booster.model_to_string(), "float32").contributions(grown.rows).values
    assert rounded.dtype == np.float32
    assert_allclose(rounded, exact, rtol=0, atol=1e-6 * max(1.0, float(np.abs(exact).max())))


@law
@given(grown=grown_boosters())
def test_a_feature_that_no_tree_splits_on_gets_exactly_zero(grown: Grown) -> None:
    unused = grown.booster.feature_importance() == 0
    values = compile_model(grown.booster.model_to_string()).contributions(grown.rows).values
    assert_array_equal(values[:, unused], 0.0)


@law
@given(grown=grown_boosters(), precision=st.sampled_from(["float64", "float32"]), data=st.data())
def test_a_row_has_the_same_bits_in_any_company(grown: Grown, precision: str, data: st.DataObject) -> None:
    """Alone, shuffled, in a slice of any length, and with any number of threads."""
    engine = compile_model(grown.booster.model_to_string(), precision)  # type: ignore[arg-type]
    together = engine.contributions(grown.rows).values
    order = np.random.default_rng(data.draw(st.integers(0, 99))).permutation(len(grown.rows))
    assert_array_equal(engine.contributions(grown.rows[order], threads=3).values, together[order])
    start = data.draw(st.integers(0, len(grown.rows) - 1))
    stop = data.draw(st.integers(start + 1, len(grown.rows)))
    assert_array_equal(engine.contributions(grown.rows[start:stop]).values, together[start:stop])
    assert_array_equal(engine.contributions(grown.rows[start : start + 1]).values, together[start : start + 1])
    assert_array_equal(engine.margin(grown.rows[start:stop], threads=2), engine.margin(grown.rows)[start:stop])


@law
@given(grown=grown_boosters(), data=st.data())
def test_the_top_k_are_the_largest_contributions_and_equal_sizes_come_by_feature(
    grown: Grown, data: st.DataObject
) -> None:
    engine = compile_model(grown.booster.model_to_string())
    k = data.draw(st.integers(0, engine.n_features))
    values = engine.contributions(grown.rows).values
    top = engine.top(grown.rows, k, threads=data.draw(st.integers(1, 3)))
    expected = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :k]
    assert_array_equal(top.features, expected)
    assert_array_equal(top.values, np.take_along_axis(values, expected, axis=1))


@law
@given(grown=grown_boosters())
def test_nothing_is_written_to_the_rows(grown: Grown) -> None:
    before = grown.rows.copy()
    compile_model(grown.booster.model_to_string()).contributions(grown.rows)
    assert_array_equal(before, grown.rows)


def test_the_random_boosters_do_reach_what_they_are_meant_to_reach() -> None:
    """A law over boosters that never split would prove nothing."""
    seen: set[str] = set()

    @settings(max_examples=80, deadline=None, database=None, derandomize=True)
    @given(grown=grown_boosters())
    def look(grown: Grown) -> None:
        text = str(grown.booster.dump_model())
        seen.update(word for word in ("'None'", "'Zero'", "'NaN'", "'=='", "'<='", "||") if word in text)
        if any(len(at) > len(set(at)) for at in thresholds(grown.booster).values()):
            seen.add("threshold again")

    look()
    assert seen == {"'None'", "'Zero'", "'NaN'", "'=='", "'<='", "||", "threshold again"}


@given(grown_boosters(categories=False))
@settings(max_examples=25, deadline=None)
def test_trees_on_one_feature_are_looked_up_and_give_what_lightgbm_gives(grown: Grown) -> None:
    """Stumps and deep trees on one column alike; alone or in company the same bits."""
    one = grow(grown.rows[:, :1], np.clip(np.nan_to_num(grown.rows[:, 0]), -5, 5), [], num_leaves=31)
    rows = np.ascontiguousarray(grown.rows[:, :1])
    engine = compile_model(one.model_to_string())
    assert not engine._listing.program.point_count.any()
    explained, expected = engine.contributions(rows), contributions_by_lightgbm(one, rows)
    assert_allclose(explained.values, expected[:, :-1], rtol=0, atol=1e-9)
    assert np.array_equal(engine.contributions(rows[:1]).values, explained.values[:1])
