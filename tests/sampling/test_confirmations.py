"""Promises of confirmations: screens are confirmed at random within every limit, with a known probability."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UserError
from sampling.confirmations import DrawnTests, draw_confirmations
from sampling.frame import build_frame
from sampling.plan import Plan, allocate, constraints_of
from sampling.policy import SamplingPolicy
from sampling.randomness import ONE, whole_probabilities
from tests.sampling.frames import AS_OF, MIDDLE, PACKAGES, POLICY, candidates, marketplace, policy_with

SCREEN = {**MIDDLE, "name": "screen", "cost_eur": 10, "method": "xrf", "turnaround_days": 3, "sensitivity": 0.6}
SHARES = {"first": 0.1, "least": 0.03}
SEEDS = st.integers(0, 2**62)


@dataclass(frozen=True)
class Known:
    """A sensitivity as results taught it."""

    value: float
    spread: float
    stated_spread: float = 0.1


def _policy(slots: int = 500, minimum: int = 0, confirmation: dict[str, float] | None = SHARES) -> SamplingPolicy:
    return policy_with(
        packages=[*PACKAGES, SCREEN], labs=[{"name": "one", "slots": {"chemistry": slots, "xrf": 90}}],
        minimums=[{"category": "textile", "markets": ["DE"], "tests": minimum}], confirmation=confirmation,
    )  # fmt: skip


def _screens(plan: Plan) -> pa.Table:
    return plan.units.filter(pc.equal(plan.units["package"], "screen"))


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 120), st.integers(0, 12), st.integers(0, 3), st.floats(1_100, 20_000), SEEDS)
def test_no_confirmation_breaks_a_limit(skus: int, slots: int, minimum: int, budget_eur: float, seed: int) -> None:
    """Budget, slots and minimums hold with every confirmation counted, and each probability is the share confirmed."""
    policy = _policy(slots, minimum)
    plan = allocate(candidates(np.linspace(0.5, 0.01, skus), "textile"), policy, budget_eur, seed)
    rows, screens = plan.units.to_pylist(), _screens(plan).to_pylist()
    confirmed = [row for row in screens if row["confirmed"]]
    full = [row for row in rows if row["package"] == "middle"]
    assert sum(row["cost_eur"] for row in rows) == pytest.approx(plan.summary.cost_eur)
    assert plan.summary.cost_eur <= budget_eur
    assert len(full) + len(confirmed) <= slots
    assert len(screens) <= 90
    assert len(full) >= min(minimum, slots, skus) or plan.summary.minimums[0].unmet > 0
    assert plan.summary.confirmations == len(confirmed)
    assert plan.summary.confirmations_eur == pytest.approx(140 * len(confirmed))
    for row in screens:
        assert row["confirming_package"] == "middle"
        assert 0 < row["confirmation_probability"] <= 1 if confirmed else row["confirmation_probability"] == 0
        assert row["cost_eur"] == (150 if row["confirmed"] else 10)
        assert (row["due_on"] - AS_OF).days == (17 if row["confirmed"] else 3)
    assert sum(row["confirmation_probability"] for row in screens) == pytest.approx(len(confirmed))
    for row in full:
        assert (row["confirming_package"], row["confirmed"], row["confirmation_probability"]) == (None, True, 1)
    if screens and not confirmed:
        assert len(full) == slots or budget_eur - plan.summary.cost_eur < 140
        assert "None of" in plan.summary.note


@settings(deadline=None, max_examples=15)
@given(SEEDS, st.randoms(use_true_random=False))
def test_the_same_seed_confirms_the_same_skus(seed: int, shuffler: object) -> None:
    """In whatever order the candidates come."""
    table, order = candidates(np.linspace(0.5, 0.01, 80), "textile"), list(range(80))
    shuffler.shuffle(order)  # type: ignore[attr-defined]
    plan, again = (allocate(each, _policy(), 3_000, seed) for each in (table, table.take(order)))
    assert plan.units.equals(again.units)
    assert plan.summary == again.summary


def test_each_screen_is_confirmed_as_often_as_its_probability_says() -> None:
    """Over 2,000 seeds, of 33 screens 3 or 4, a tenth on average; more of those that stand for many SKUs."""
    policy = _policy()
    frame = build_frame(candidates(np.linspace(0.5, 0.01, 33), "textile"))
    limits = constraints_of(frame, policy, 10_000)
    number = [package.name for package in policy.packages].index("screen")
    drawn = DrawnTests(np.full(33, number), frame.cell, frame.words, frame.p_fail, np.linspace(0.05, 1, 33))
    each = [draw_confirmations(drawn, limits, policy, seed) for seed in range(2_000)]
    confirmed, probability = (np.array(rows) for rows in ([c.confirmed for c in each], [c.probability for c in each]))
    counts = confirmed.sum(axis=1)
    assert probability.sum(axis=1) == pytest.approx(counts)
    assert set(counts) == {3, 4}
    assert counts.mean() == pytest.approx(3.3, abs=0.05)
    expected = probability.mean(axis=0)
    off = (confirmed.mean(axis=0) - expected) / np.sqrt(np.maximum(expected * (1 - expected), 1e-9) / 2_000)
    assert np.abs(off).max() < 4
    assert expected[0] > 3 * expected[-1]
    assert expected.min() > 0.015
    assert confirmed[1:, 5][confirmed[:-1, 5]].mean() == pytest.approx(expected[5], abs=0.08), (
        "one seed tells nothing of another"
    )


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.integers(0, 50))
def test_probabilities_follow_their_weights_and_add_up(weights: list[float], count: int) -> None:
    """At most 1 each, exactly `count` in all, the heavier the likelier."""
    weight = np.array(weights)
    chance = whole_probabilities(weight, count)
    assert chance.sum() == min(count, len(weight)) * ONE
    assert (chance >= 0).all()
    assert (chance <= ONE).all()
    assert (np.diff(chance[np.argsort(weight, kind="stable")]) >= -1).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_screens_or_confirmations_a_plan_is_as_before(seed: int) -> None:
    """A share of screens changes no plan without screens, and a share of nothing none with them."""
    with_share = policy_with(confirmation=SHARES)
    plain = allocate(marketplace(300), POLICY, 9_000, seed)
    assert allocate(marketplace(300), with_share, 9_000, seed).units.equals(plain.units)
    nothing, absent = (_policy(confirmation=each) for each in ({"first": 0.0, "least": 0.0}, None))
    table = candidates(np.linspace(0.5, 0.01, 300), "textile")
    plan, same = (allocate(table, policy, 3_000, seed) for policy in (nothing, absent))
    assert plan.units.equals(same.units)
    assert set(_screens(plan)["confirmation_probability"].to_pylist()) == {0.0}
    assert (plan.summary.confirmations, plan.summary.confirmations_eur) == (0, 0)


def test_a_screen_that_is_known_well_is_confirmed_less_and_a_worse_one_used_less() -> None:
    """The confirmed share falls from `first` to `least`, and plans count the sensitivity that results taught."""
    policy, table = _policy(), candidates(np.linspace(0.5, 0.01, 600), "textile")
    screen = next(package for package in policy.packages if package.name == "screen")
    shares = [policy.with_screens({"screen": Known(0.6, s)}).confirmed_share(screen) for s in (0.0, 0.05, 0.1, 0.2)]
    assert shares == pytest.approx([0.03, 0.0475, 0.1, 0.1])
    assert policy.confirmed_share(screen) == 0.1
    stated, worse = (
        allocate(table, each, 9_000, seed=2) for each in (policy, policy.with_screens({"screen": Known(0.1, 0.1)}))
    )
    assert len(_screens(worse)) < len(_screens(stated))
    assert set(_screens(stated)["sensitivity"].to_pylist()) == {0.6}
    assert "are confirmed by the full test even if passed" in stated.summary.note


def test_a_screen_beside_a_check_of_papers_is_not_confirmed() -> None:
    """Where the full package of a category finds no laboratory failure, nothing could confirm its screen."""
    papers = {**MIDDLE, "name": "papers", "hazards": []}
    policy = policy_with(packages=[papers, SCREEN], default_package="papers", confirmation=SHARES)
    plan = allocate(candidates(np.linspace(0.5, 0.01, 50), "textile"), policy, 3_000, seed=1)
    screens = _screens(plan)
    assert set(screens["confirming_package"].to_pylist()) <= {None}
    assert plan.summary.confirmations == 0


def test_a_share_that_grows_is_refused() -> None:
    """As knowledge grows, fewer screens are confirmed, not more."""
    with pytest.raises(UserError, match="above first"):
        _policy(confirmation={"first": 0.03, "least": 0.1})
