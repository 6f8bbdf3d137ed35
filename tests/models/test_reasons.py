"""Reasons are the largest contributions, told once for the same rows and never against their plain sense."""

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.definition import Feature
from features.registry import BY_NAME, CATALOGUE, FEATURE_NAMES
from models.artifact import Artifact
from models.calibration_curves import Floats
from models.fact_sentences import comparison_of, fact_of, is_against_sense
from models.reasons import (
    MAX_REASONS,
    REASONS_TYPE,
    STORED_REASONS,
    FeatureContribution,
    ReasonWriter,
    RowContext,
    effect_of,
    norms_of,
    reasons_array,
    top_reasons,
)
from models.scorer import Scorer
from tests.models.worlds import CATEGORIES, tiny_matrix

# Few distinct values, so that ties are common.
CONTRIBUTIONS = arrays(
    float,
    st.tuples(st.integers(0, 8), st.integers(1, 9)),
    elements=st.sampled_from([-2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0]),
)
FORBIDDEN = re.compile(r"\bshap|log-?odds|\bunsafe|\bnan\b|\binf\b|[{}]|  |\.\.|\bNone\b", re.IGNORECASE)
VALUES = (0.0, 0.004, 0.12, 0.5, 1.0, 2.0, 3.4, 17.0, 365.0, 12345.678, -0.3, -2.0, float("nan"), float("inf"))


@settings(max_examples=200, deadline=None)
@given(contributions=CONTRIBUTIONS, k=st.integers(1, 6))
def test_reasons_are_the_largest_by_size_with_ties_in_feature_order(contributions: Floats, k: int) -> None:
    """Reasons are the largest by size with ties in feature order."""
    expected = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :k]
    assert np.array_equal(top_reasons(contributions, k), expected)


@settings(deadline=None)
@given(contributions=CONTRIBUTIONS)
def test_choosing_reasons_leaves_the_contributions_as_they_were(contributions: Floats) -> None:
    """Choosing reasons leaves the contributions as they were."""
    before = contributions.copy()
    top_reasons(contributions)
    assert np.array_equal(before, contributions)


@settings(max_examples=100, deadline=None)
@given(contributions=CONTRIBUTIONS, seed=st.integers(0, 99))
def test_the_column_of_reasons_says_what_a_loop_over_rows_would(contributions: Floats, seed: int) -> None:
    """The column of reasons says what a loop over rows would."""
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=contributions.shape)
    matrix[draw.random(matrix.shape) < 0.3] = np.nan
    names = [f"feature {column}" for column in range(contributions.shape[1])]
    top = top_reasons(contributions)
    expected = [
        [
            {
                "feature": names[column],
                "value": None if np.isnan(matrix[row, column]) else matrix[row, column],
                "contribution": contributions[row, column],
            }
            for column in top[row]
            if contributions[row, column] != 0.0
        ]
        for row in range(len(contributions))
    ]
    values, strongest = (np.take_along_axis(each, top, axis=1) for each in (matrix, contributions))
    column = reasons_array(values, top, strongest, pa.array(names, pa.string()))
    column.validate(full=True)
    assert column.type == REASONS_TYPE
    assert column.to_pylist() == expected


def test_the_column_is_the_one_of_a_score_row(artifact: Artifact) -> None:
    """The column is the one of a score row."""
    matrix = tiny_matrix(40, seed=1)
    told = Scorer(artifact).explain(matrix, 5)
    values = np.take_along_axis(matrix, told.strongest, axis=1)
    column = reasons_array(values, told.strongest, told.contributions, pa.array(FEATURE_NAMES))
    assert str(column.type) == "list<item: struct<feature: string, value: double, contribution: double>>"
    for reasons in column.to_pylist():
        sizes = [abs(reason["contribution"]) for reason in reasons]
        assert len(reasons) <= 5
        assert sizes == sorted(sizes, reverse=True)


def test_no_rows_give_an_empty_column() -> None:
    """No rows give an empty column."""
    none = np.empty((0, 5))
    assert len(reasons_array(none, none.astype(np.int32), none, pa.array(FEATURE_NAMES))) == 0


@pytest.mark.parametrize("declared", CATALOGUE, ids=FEATURE_NAMES)
def test_no_sentence_uses_a_forbidden_word_or_leaves_a_gap(declared: Feature) -> None:
    """No sentence uses a forbidden word or leaves a gap."""
    for value in VALUES:
        comparison = comparison_of(declared, value, 0.12, "toys_3_plus")
        for told in (fact_of(declared, value), comparison):
            assert not FORBIDDEN.search(told), told
            assert told.endswith(".") or not told


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), category=st.sampled_from([*CATEGORIES, "never seen"]))
def test_reasons_sum_what_rests_on_the_same_rows(artifact: Artifact, seed: int, category: str) -> None:
    """Each feature is told once or not at all, a reason's contribution is the sum of what it names, largest first."""
    matrix = tiny_matrix(3, seed)
    scores, writer = Scorer(artifact).score(matrix), ReasonWriter(artifact)
    for row in range(3):
        contributions = dict(zip(FEATURE_NAMES, scores.contributions[row].tolist(), strict=True))
        context = RowContext(category, float(scores.margin[row]), matrix[row])
        reasons = writer.reasons_to_tell(context, scores.contributions[row], len(FEATURE_NAMES))
        named = [name for reason in reasons for name in (reason.feature, *reason.merged)]
        assert len(named) == len(set(named))
        sizes = [abs(reason.contribution) for reason in reasons]
        assert sizes == pytest.approx(sorted(sizes, reverse=True))
        for reason, text in zip(reasons, writer.reasons(reasons), strict=True):
            names = (reason.feature, *reason.merged)
            assert reason.contribution == pytest.approx(sum(contributions[name] for name in names))
            assert all(BY_NAME[name].about == BY_NAME[reason.feature].about for name in reason.merged)
            assert text.points * reason.contribution >= 0
            assert ("raises" in text.effect) == (reason.contribution > 0)
            assert not FORBIDDEN.search(text.sentence), text.sentence


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_the_main_reason_is_the_first_that_raises(artifact: Artifact, seed: int) -> None:
    """One line of a list says what the page of the SKU says first."""
    matrix, writer = tiny_matrix(3, seed), ReasonWriter(artifact)
    contributions = Scorer(artifact).score(matrix).contributions
    for row, of_row in zip(matrix, contributions, strict=True):
        context = RowContext(CATEGORIES[0], 0.0, row)
        reasons = writer.reasons_to_tell(context, of_row, len(FEATURE_NAMES))
        raising = [each for each in reasons if each.contribution > 0]
        main = writer.main_reason(context, of_row)
        assert (main is None) == (not raising)
        assert main is None or main.fact == writer.reasons(raising[:1])[0].fact


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), category=st.sampled_from([*CATEGORIES, "never seen"]))
def test_no_reason_reads_as_the_opposite_of_what_it_did(artifact: Artifact, seed: int, category: str) -> None:
    """What reads as bad never lowers a score, and what reads as good never raises it."""
    matrix = tiny_matrix(3, seed)
    scores, writer = Scorer(artifact).score(matrix), ReasonWriter(artifact)
    for row in range(3):
        context = RowContext(category, float(scores.margin[row]), matrix[row])
        for reason in writer.reasons_to_tell(context, scores.contributions[row], len(FEATURE_NAMES)):
            typical = norms_of(artifact).get((category, reason.feature))
            feature = BY_NAME[reason.feature]
            assert not is_against_sense(feature, reason.value, typical, reason.contribution), reason
            if reason.contribution > 0 and feature.plain_sense > 0 and not np.isnan(reason.value):
                assert not writer.reasons([reason])[0].fact.startswith(("None of", "No "))


@pytest.mark.parametrize(
    ("name", "value", "typical", "reads_as"),
    [
        ("sku_deception_return_rate_365", 86.7, 20.0, 1), ("sku_deception_return_rate_365", 4.0, 20.0, -1),
        ("sku_responsible_person", 0.0, 0.0, 1), ("sku_responsible_person", 1.0, 1.0, -1),
        ("sku_incidents_365", 0.0, 0.0, -1), ("sku_incidents_365", 2.0, 0.0, 1),
        ("sku_relative_price", -2.0, 0.0, 1), ("supplier_days_since_fail", 10.0, 300.0, 1),
        ("sku_rating_trend", -0.4, 0.0, 1), ("title_length", 3.0, 5.0, 0), ("sku_fail_rate", float("nan"), 0.2, 0),
    ],
)  # fmt: skip
def test_a_reader_takes_a_value_for_good_or_bad(name: str, value: float, typical: float, reads_as: int) -> None:
    """More of something bad than is typical reads as bad, less as good, nothing of it as good."""
    assert is_against_sense(BY_NAME[name], value, typical, -1.0) == (reads_as == 1)
    assert is_against_sense(BY_NAME[name], value, typical, 1.0) == (reads_as == -1)


def row_with(**values: float) -> Floats:
    """A row with the given features, the others unknown."""
    return np.array([values.get(name, np.nan) for name in FEATURE_NAMES])


def test_the_only_test_of_a_product_is_told_once_and_as_its_own(artifact: Artifact) -> None:
    """The one test of product, title and supplier is the same row; with two of the supplier, it is not."""
    mean, strength = artifact.reference.prior("sku_fail")
    rate = (1 + mean * strength) / (1 + strength)
    contributions = row_with(sku_fail_rate=0.2, title_fail_rate=0.9, supplier_fail_rate=0.3)
    for supplier_tests, told in ((1.0, 1), (2.0, 2)):
        values = row_with(
            sku_fail_rate=rate, title_fail_rate=0.5, supplier_fail_rate=0.3, sku_tests=1.0, title_tests=1.0,
            supplier_tests=supplier_tests,
        )  # fmt: skip
        context, writer = RowContext("never seen", 0.3, values), ReasonWriter(artifact)
        reasons = writer.reasons_to_tell(context, np.nan_to_num(contributions))
        assert len(reasons) == told
        assert writer.reasons(reasons)[0].fact == "Its only independent test failed."
        assert writer.reasons(reasons)[0].comparison.startswith("Allowing for the small number, we estimate ")
        assert sum(each.contribution for each in reasons) == pytest.approx(1.4)


def test_points_are_the_probability_with_the_contribution_less_the_one_without(artifact: Artifact) -> None:
    """Points are the probability with the contribution less the one without."""
    (reason,) = ReasonWriter(artifact).reasons(
        [FeatureContribution(RowContext("chargers", 0.3), FEATURE_NAMES[0], 0.0, 0.8)]
    )
    p_with, p_without = artifact.calibration.p_fail(np.array([0.3, -0.5]))
    assert reason.points == pytest.approx(100 * (p_with - p_without))


def test_no_more_reasons_are_told_than_are_wanted(artifact: Artifact) -> None:
    """However many features contributed; a supplier is given four at most."""
    contributions = np.linspace(0.1, 0.9, len(FEATURE_NAMES))
    context = RowContext("chargers", 0.3, np.full(len(FEATURE_NAMES), np.nan))
    assert len(ReasonWriter(artifact).reasons_to_tell(context, contributions)) == STORED_REASONS
    assert len(ReasonWriter(artifact).reasons_to_tell(context, contributions, MAX_REASONS)) == 4


def test_a_reason_reads_as_fact_comparison_and_effect() -> None:
    """A reason reads as fact comparison and effect."""
    feature = BY_NAME["supplier_fail_rate"]
    assert "38 %" in fact_of(feature, 0.375)
    assert comparison_of(feature, 0.375, 0.12, "toys_3_plus") == "Typical for toys 3 plus: 12 %."
    assert effect_of(6.2, 0.4) == "This raises the predicted failure rate by about 6 points."
    assert effect_of(-1.2, -0.4) == "This lowers the predicted failure rate by about 1 point."
    assert effect_of(-0.2, -0.4) == "This lowers the predicted failure rate by less than 1 point."


@pytest.mark.parametrize("declared", CATALOGUE, ids=FEATURE_NAMES)
def test_a_supplier_is_told_nothing_of_others_nor_of_how_it_is_looked_at(declared: Feature) -> None:
    """Rows of factories, titles and categories may be another seller's; copied reviews and the gap are our methods."""
    if declared.entity in ("factory", "title", "category"):
        assert not declared.supplier_may_see
    if declared.name in ("supplier_golden_gap", "sku_duplicate_share", "sku_certificate_reuse"):
        assert not declared.supplier_may_see


def test_an_unknown_value_is_said_to_be_unknown_and_not_compared() -> None:
    """An unknown value is said to be unknown and not compared."""
    feature = BY_NAME["supplier_days_since_fail"]
    assert fact_of(feature, float("nan")) == feature.missing
    assert comparison_of(feature, float("nan"), 30.0, "toys") == ""


def test_norms_that_are_not_numbers_are_left_out(artifact: Artifact) -> None:
    """Norms that are not numbers are left out."""
    norms = norms_of(artifact)
    assert len(norms) == len(CATEGORIES) * len(FEATURE_NAMES)
    assert all(np.isfinite(median) for median in norms.values())


@settings(max_examples=40, deadline=None)
@given(
    contributions=st.lists(
        st.builds(
            FeatureContribution, st.builds(RowContext, st.sampled_from(CATEGORIES), st.floats(-6, 6)),
            st.sampled_from(FEATURE_NAMES), st.sampled_from(VALUES[:-2]), st.floats(-2, 2),
        ),
        max_size=30,
    )
)  # fmt: skip
def test_a_reason_in_company_is_the_reason_alone(artifact: Artifact, contributions: list[FeatureContribution]) -> None:
    """Reasons of many rows at once say, to the last bit, what each says by itself; so do their sentences."""
    writer = ReasonWriter(artifact)
    alone = [writer.reasons([each])[0] for each in contributions]
    assert writer.reasons(contributions) == alone
    assert writer.sentences(contributions) == [reason.sentence for reason in alone]
    for reason in alone:
        assert reason.sentence.split() == f"{reason.fact} {reason.comparison} {reason.effect}".split()
