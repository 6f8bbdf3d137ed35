"""Reasons are the largest contributions, in plain words, and never more than four are told."""

import re
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.definition import Feature, Unit
from features.registry import BY_NAME, CATALOGUE, FEATURE_NAMES
from models.artifact import Artifact
from models.calibration_curves import Floats
from models.reasons import (
    IN_WORDS,
    REASONS_TYPE,
    FeatureContribution,
    ReasonWriter,
    RowContext,
    brief_of,
    comparison_of,
    effect_of,
    fact_of,
    norms_of,
    quantity,
    reasons_array,
    top_reasons,
)
from models.scorer import Scorer
from tests.models.worlds import CATEGORIES, tiny_matrix


@pytest.mark.parametrize(
    ("unit", "value", "words"),
    [
        ("share", 0.12, "12 %"), ("share", 0.0, "0 %"), ("share", 0.003, "less than 1 %"), ("share", 1.0, "100 %"),
        ("share points", 0.09, "9 points"), ("count", 3.0, "3"), ("count", 12345.0, "12,345"), ("count", 0.5, "0.5"),
        ("days", 1.0, "1 day"), ("days", 14.0, "14 days"), ("days", 0.0, "0 days"), ("months", 36.0, "36 months"),
        ("EUR", 12.5, "EUR 12.50"), ("log EUR", 2.302585093, "EUR 10.00"), ("stars", 3.44, "3.4 stars"),
        ("per 1,000 units", 4.0, "4 per 1,000 units"), ("standard deviations", -1.5, "-1.5 standard deviations"),
        ("yes/no", 1.0, "yes"), ("yes/no", 0.0, "no"), ("log-odds", 1.234, "1.2"), ("ratio", 0.123, "0.12 times"),
        ("points", 1250.0, "1,250 points"),
        ("ratio", 1234567.0, "1,234,567 times"), ("log-odds", 1e-5, "almost 0"),
        ("days", float("inf"), "beyond measure"),
    ],
)  # fmt: skip
def test_a_value_reads_by_its_unit(unit: Unit, value: float, words: str) -> None:
    """A value reads by its unit."""
    assert quantity(unit, value) == words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("sku_hazard_reviews_90", 4.0, "4: reviews in the last 90 days that speak of a hazard"),
        ("sku_relative_price", -2.0, "2 standard deviations below: "),
        (
            "sku_safety_return_rate_365",
            7.8,
            "7.8 per 1,000 units: returned for a safety concern or an allergic reaction",
        ),
        ("supplier_days_since_audit", 12.0, "12 days: since the last audit at this supplier"),
        ("sku_hazard_reviews_90", float("nan"), "Reviews are not kept."),
    ],
)
def test_a_short_line_begins_with_the_value(name: str, value: float, words: str) -> None:
    """What is cut off at the end of a line is never the number."""
    assert brief_of(BY_NAME[name], value).startswith(words)


@pytest.mark.parametrize(
    ("value", "side"), [(-2.0, "2 standard deviations below the"), (1.5, "1.5 standard deviations above the")]
)
def test_a_distance_lies_on_a_side(value: float, side: str) -> None:
    """No minus sign, and no distance from what it lies below."""
    said = fact_of(BY_NAME["sku_relative_price"], value)
    assert side in said
    assert "-" not in said


@pytest.mark.parametrize(
    ("value", "words"), [(1.0, "1 certificate of this product is"), (3.0, "3 certificates of this product are")]
)
def test_a_fact_agrees_with_its_number(value: float, words: str) -> None:
    """One certificate is confirmed, three are."""
    assert fact_of(BY_NAME["sku_certificates_confirmed"], value).startswith(words)


@pytest.mark.parametrize("value", [0.0, 1.0, 2.5])
def test_no_fact_shows_its_markup(value: float) -> None:
    """Every sentence of the catalogue reads as plain words."""
    assert not [feature.name for feature in CATALOGUE if set("[]{}|") & set(fact_of(feature, value))]


def test_every_unit_with_words_of_its_own_is_a_unit_of_the_catalogue() -> None:
    """Every unit with words of its own is a unit of the catalogue."""
    assert set(IN_WORDS) <= set(get_args(Unit))


@settings(deadline=None)
@given(unit=st.sampled_from(get_args(Unit)), value=st.floats(-500.0, 500.0))
def test_no_value_reads_as_scientific_notation(unit: Unit, value: float) -> None:
    """No value reads as scientific notation."""
    if unit != "log EUR":
        assert "e+" not in quantity(unit, value)
        assert "e-" not in quantity(unit, value)


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
        comparison = comparison_of(declared, value, "toys_3_plus", {("toys_3_plus", declared.name): 0.12})
        for told in (fact_of(declared, value), comparison):
            assert not FORBIDDEN.search(told), told
            assert told.endswith(".") or not told


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), category=st.sampled_from([*CATEGORIES, "never seen"]))
def test_what_is_told_agrees_in_number_sign_and_order(artifact: Artifact, seed: int, category: str) -> None:
    """What is told agrees in number sign and order."""
    matrix = tiny_matrix(3, seed)
    scores, writer = Scorer(artifact).score(matrix), ReasonWriter(artifact)
    for row in range(3):
        contributions = scores.contributions[row]
        reasons = writer.strongest(RowContext(category, float(scores.margin[row])), matrix[row], contributions)
        assert len(reasons) <= 4
        for reason in reasons:
            contribution = contributions[FEATURE_NAMES.index(reason.feature)]
            assert reason.points * contribution >= 0
            assert ("raises" in reason.effect) == (contribution > 0)
            assert bool(reason.comparison) == (category in CATEGORIES and not np.isnan(reason.value))
            assert not FORBIDDEN.search(reason.sentence), reason.sentence
        assert [reason.feature for reason in reasons] == [
            FEATURE_NAMES[column] for column in top_reasons(contributions[None, :], 4)[0] if contributions[column] != 0
        ]


def test_points_are_the_probability_with_the_contribution_less_the_one_without(artifact: Artifact) -> None:
    """Points are the probability with the contribution less the one without."""
    contributions = np.zeros(len(FEATURE_NAMES))
    contributions[0] = 0.8
    (reason,) = ReasonWriter(artifact).strongest(
        RowContext("chargers", 0.3), np.zeros(len(FEATURE_NAMES)), contributions
    )
    p_with, p_without = artifact.calibration.p_fail(np.array([0.3, -0.5]))
    assert reason.points == pytest.approx(100 * (p_with - p_without))


def test_more_than_four_are_never_told_however_many_are_asked_for(artifact: Artifact) -> None:
    """More than four are never told however many are asked for."""
    contributions = np.linspace(0.1, 0.9, len(FEATURE_NAMES))
    told = ReasonWriter(artifact).strongest(
        RowContext("chargers", 0.3), np.zeros(len(FEATURE_NAMES)), contributions, most=9
    )
    assert len(told) == 4


def test_a_reason_reads_as_fact_comparison_and_effect() -> None:
    """A reason reads as fact comparison and effect."""
    feature = BY_NAME["supplier_fail_rate"]
    norms = {("toys_3_plus", "supplier_fail_rate"): 0.12}
    assert "38 %" in fact_of(feature, 0.375)
    assert comparison_of(feature, 0.375, "toys_3_plus", norms) == "Typical for toys 3 plus: 12 %."
    assert effect_of(6.2, 0.4) == "This raises the predicted failure rate by about 6 points."
    assert effect_of(-1.2, -0.4) == "This lowers the predicted failure rate by about 1 point."
    assert effect_of(-0.2, -0.4) == "This lowers the predicted failure rate by less than 1 point."


def test_an_unknown_value_is_said_to_be_unknown_and_not_compared() -> None:
    """An unknown value is said to be unknown and not compared."""
    feature = BY_NAME["supplier_days_since_fail"]
    assert fact_of(feature, float("nan")) == feature.missing
    assert comparison_of(feature, float("nan"), "toys", {("toys", feature.name): 30.0}) == ""


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
