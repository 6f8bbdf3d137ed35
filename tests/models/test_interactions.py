"""Two facts are told together exactly where they differ from the two apart by as much as the policy asks for."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.registry import BY_NAME, FEATURE_NAMES
from models.artifact import Artifact
from models.calibration_curves import Floats
from models.interactions import (
    InteractionPolicy,
    InteractionText,
    interactions_to_tell,
    joint_effect_of,
    subject_of,
    sum_by_reason,
)
from models.reasons import FeatureContribution, ReasonWriter, RowContext
from models.scorer import Scorer
from tests.models.worlds import CATEGORIES, tiny_matrix

SEEDS = st.integers(0, 2**16)
COLUMN = {name: column for column, name in enumerate(FEATURE_NAMES)}
ALL_PAIRS = len(FEATURE_NAMES) ** 2


@pytest.fixture(scope="module")
def writer(artifact: Artifact) -> ReasonWriter:
    """The writer of the small model's reasons."""
    return ReasonWriter(artifact)


@pytest.fixture(scope="module")
def scorer(artifact: Artifact) -> Scorer:
    """The scorer of the small model."""
    return Scorer(artifact)


def policy_of(least_points: float, most: int = ALL_PAIRS) -> InteractionPolicy:
    """The policy that asks for so many points, and tells at most so many pairs."""
    return InteractionPolicy(least_points=least_points, most=most)


def random_row(seed: int) -> tuple[RowContext, Floats, Floats]:
    """A row with contributions of all features and interactions of one pair in ten, symmetric."""
    draw = np.random.default_rng(seed)
    width = len(FEATURE_NAMES)
    half = np.triu(draw.normal(0, 0.3, (width, width)) * (draw.random((width, width)) < 0.1))
    context = RowContext(CATEGORIES[0], float(draw.normal(-1, 1)), tiny_matrix(1, seed)[0])
    return context, draw.normal(0, 0.3, width), half + half.T


def size_of(first: FeatureContribution, second: FeatureContribution, interactions: Floats) -> float:
    """What two reasons add beyond each alone, feature by feature."""
    names = ((first.feature, *first.merged), (second.feature, *second.merged))
    cells = [(COLUMN[one], COLUMN[other]) for one in names[0] for other in names[1]]
    return float(sum(interactions[cell] + interactions[cell[::-1]] for cell in cells))


def names_of(told: list[InteractionText]) -> set[frozenset[str]]:
    """The pairs without their order."""
    return {frozenset(each.features) for each in told}


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS, least_points=st.floats(0.51, 12))
def test_a_pair_is_told_if_and_only_if_it_is_large_enough(writer: ReasonWriter, seed: int, least_points: float) -> None:
    """Of two known facts of two subjects that both raise or both lower the score; by brute force over all pairs."""
    row, contributions, interactions = random_row(seed)
    told = interactions_to_tell(writer, row, contributions, interactions, policy_of(least_points))
    reasons = writer.reasons_to_tell(row, contributions, len(FEATURE_NAMES))
    expected = set()
    for number, first in enumerate(reasons):
        for second in reasons[:number]:
            points = writer.points(row, [size_of(first, second, interactions)]).item()
            subjects = {subject_of(BY_NAME[each.feature]) for each in (first, second)}
            is_known = not np.isnan([first.value, second.value]).any()
            if abs(points) >= least_points and first.contribution * second.contribution > 0 and is_known:
                expected |= {frozenset((first.feature, second.feature))} if len(subjects) == 2 else set()
    assert names_of(told) == expected
    sizes = [abs(each.points) for each in told]
    assert sizes == sorted(sizes, reverse=True)
    few = interactions_to_tell(writer, row, contributions, interactions, policy_of(least_points, 2))
    assert few == told[:2]


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS)
def test_neither_half_of_a_pair_comes_first(writer: ReasonWriter, seed: int) -> None:
    """The same is told whichever of a pair's two cells holds what."""
    row, contributions, interactions = random_row(seed)
    upper = 2 * np.triu(interactions, 1)
    told = [interactions_to_tell(writer, row, contributions, each, policy_of(2.0)) for each in (upper, upper.T)]
    assert [each.sentence for each in told[0]] == [each.sentence for each in told[1]]
    assert [each.contribution for each in told[0]] == pytest.approx([each.contribution for each in told[1]])
    whole = interactions_to_tell(writer, row, contributions, interactions, policy_of(2.0))
    assert names_of(told[0]) == names_of(whole)


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS)
def test_a_sentence_names_two_facts_of_the_row_and_what_they_do(writer: ReasonWriter, seed: int) -> None:
    """Both facts are those of the reasons; the sign of the size is that of the points."""
    row, contributions, interactions = random_row(seed)
    reasons = {each.feature: each for each in writer.reasons_to_tell(row, contributions, len(FEATURE_NAMES))}
    for told in interactions_to_tell(writer, row, contributions, interactions, policy_of(1.0)):
        first, second = (reasons[name] for name in told.features)
        assert first.feature != second.feature
        assert abs(first.contribution) >= abs(second.contribution)
        assert told.facts == tuple(each.fact for each in writer.reasons([first, second]))
        assert told.contribution == pytest.approx(size_of(first, second, interactions))
        assert told.points * told.contribution > 0
        assert told.supplier_may_see == all(BY_NAME[name].supplier_may_see for name in told.features)
        assert told.sentence.startswith(f"{told.facts[0]} {told.facts[1]} Together they ")
        assert ("raise" in told.effect) == (first.contribution > 0)
        assert (" more than " in told.effect) == (told.contribution * first.contribution > 0)


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS)
def test_sums_of_reasons_make_up_their_contributions(scorer: Scorer, writer: ReasonWriter, seed: int) -> None:
    """Interactions with all others, and what is left on the diagonal, sum to the contribution of each reason."""
    matrix, draw = tiny_matrix(1, seed), np.random.default_rng(seed)
    contributions = scorer.score(matrix).contributions[0]
    (interactions,) = scorer.interactions(matrix)
    assert interactions.sum(axis=1) == pytest.approx(contributions, abs=1e-9)
    names = draw.permutation(FEATURE_NAMES).tolist()
    cuts = [0, *sorted(draw.choice(np.arange(1, len(names)), 20, replace=False).tolist()), len(names)]
    groups = [names[start:stop] for start, stop in pairwise(cuts)]
    totals = [float(sum(contributions[COLUMN[name]] for name in group)) for group in groups]
    reasons = [
        FeatureContribution(RowContext("", 0.0), group[0], 0.0, total, tuple(group[1:]))
        for group, total in zip(groups, totals, strict=True)
    ]
    sums = sum_by_reason(writer, reasons, interactions)
    assert sums == pytest.approx(sums.T, abs=1e-12)
    assert sums.sum(axis=1) == pytest.approx(totals, abs=1e-9)
    assert sum_by_reason(writer, reasons[1:], interactions) == pytest.approx(sums[1:, 1:], abs=1e-12)


@pytest.mark.parametrize(("points", "raising", "effect"), [
    (2.2, True, "Together they raise the predicted failure rate about 2 points more than they would apart."),
    (-0.8, True, "Together they raise the predicted failure rate about 1 point less than they would apart."),
    (-2.2, False, "Together they lower the predicted failure rate about 2 points more than they would apart."),
    (0.8, False, "Together they lower the predicted failure rate about 1 point less than they would apart."),
])  # fmt: skip
def test_more_and_less_are_said_of_what_both_do(points: float, raising: bool, effect: str) -> None:
    """What raises a score is less where both facts lower it."""
    assert joint_effect_of(points, points, raising=raising) == effect


def test_windows_of_one_number_and_rates_of_one_kind_of_row_are_one_subject() -> None:
    """They say nothing beside each other, whether of the product, its supplier or its category."""
    windows = ("supplier_audit_points_365", "supplier_audit_points_90")
    failed = ("sku_fail_rate", "supplier_fails_90", "category_fail_rate_learned")
    for names in (windows, failed):
        assert len({subject_of(BY_NAME[name]) for name in names}) == 1
    assert subject_of(BY_NAME["sku_responsible_person"]) != subject_of(BY_NAME["sku_brand_named"])


def test_a_model_whose_features_do_not_interact_tells_nothing(writer: ReasonWriter) -> None:
    """Nor does a row without a reason."""
    row, contributions, interactions = random_row(1)
    nothing = np.zeros_like(interactions)
    assert interactions_to_tell(writer, row, contributions, nothing, policy_of(0.51)) == []
    assert interactions_to_tell(writer, row, np.zeros_like(contributions), interactions, policy_of(0.51)) == []
