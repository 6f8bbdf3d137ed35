"""The schedule replayed: the same tests on the same days, in another order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation import Judged
from training.schedule import replayed, schedule_replay

UNITS = st.lists(st.tuples(st.integers(0, 20), st.integers(-3, 3).map(float), st.booleans()), min_size=2, max_size=60)


def judged(failed: list[bool], replicates: int = 0) -> Judged:
    """Outcomes that weigh alike, and resampled ones."""
    draw = np.random.default_rng(1)
    weights = np.vstack([np.ones(len(failed)), draw.poisson(1, (replicates, len(failed)))])
    return Judged(np.array(failed), weights)


@given(UNITS)
def test_as_many_units_are_tested_on_as_many_days(units: list[tuple[int, float, bool]]) -> None:
    days, score = np.array([unit[0] for unit in units]), np.array([unit[1] for unit in units])
    new, first = replayed(days, score)
    assert new.sum() == pytest.approx(days.sum())
    assert first.sum() == pytest.approx(len(units) / 2)
    assert ((first >= 0) & (first <= 1)).all()
    distinct = replayed(days, np.arange(len(units), dtype=np.float64))[0]
    assert sorted(distinct) == sorted(days), "daily capacity is kept"


@given(UNITS)
def test_a_riskier_unit_is_never_tested_later(units: list[tuple[int, float, bool]]) -> None:
    days, score = np.array([unit[0] for unit in units]), np.array([unit[1] for unit in units])
    new, first = replayed(days, score)
    order = np.argsort(-score, kind="stable")
    assert (np.diff(new[order]) >= 0).all()
    assert (np.diff(first[order]) <= 1e-12).all()


@given(UNITS)
def test_the_order_as_it_was_gains_nothing(units: list[tuple[int, float, bool]]) -> None:
    days = np.array([unit[0] for unit in units])
    told = schedule_replay(days, -days.astype(float), judged([unit[2] for unit in units]))
    if not told["too_few"]:
        assert told["days_earlier"] == pytest.approx(0)
        assert told["first_half"] == pytest.approx(told["first_half_as_it_was"])


def test_hindsight_finds_every_failure_in_the_first_half_and_chance_half_of_them() -> None:
    days, failed = np.arange(10), [False] * 6 + [True] * 4
    best = schedule_replay(days, np.array(failed, dtype=float), judged(failed))
    assert (best["days_earlier"], best["first_half"], best["first_half_as_it_was"]) == (6.0, 1.0, 0.0)
    blind = schedule_replay(days, np.zeros(10), judged(failed))
    assert (blind["days_earlier"], blind["first_half"]) == (3.0, 0.5)


def test_the_interval_holds_the_gain() -> None:
    draw = np.random.default_rng(3)
    failed = draw.random(300) < 0.2
    score = draw.normal(size=300) + failed
    told = schedule_replay(draw.integers(60, size=300), score, judged(failed.tolist(), 200))
    low, high = told["days_earlier_interval"]
    assert 0 < low < told["days_earlier"] < high


@pytest.mark.parametrize("failed", [[], [True], [False, False, False]])
def test_nothing_to_find_is_too_few(failed: list[bool]) -> None:
    told = schedule_replay(np.arange(len(failed)), np.zeros(len(failed)), judged(failed))
    assert told == {"units": len(failed), "failures": sum(failed), "too_few": True}
