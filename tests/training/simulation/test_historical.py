"""Replay on history: only what a strategy chose teaches it."""

from dataclasses import replace

import numpy as np
import pytest

from features.registry import CATALOGUE
from training.simulation.comparison import STRATEGIES, NamedStrategy
from training.simulation.historical import OUTCOME_TABLES, PastTests, evaluate_in_hindsight, hindsight_text
from training.simulation.strategies import StrategyChoice, StrategyView


def past(tests: int = 1_200, months: int = 8) -> PastTests:
    """Tests whose outcome follows one number that everybody sees."""
    rng = np.random.default_rng(1)
    signal = rng.normal(size=tests)
    failed = rng.random(tests) < 1 / (1 + np.exp(2 - 2 * signal))
    return PastTests(
        month=np.sort(rng.integers(0, months, tests)),
        supplier=rng.integers(0, 50, tests),
        category=rng.integers(0, 4, tests),
        cell=rng.integers(0, 8, tests),
        features=signal[:, None].astype(np.float32),
        failed=failed,
    )


def test_strategies_that_follow_the_scores_find_more_than_chance() -> None:
    result = {each.strategy: each for each in evaluate_in_hindsight(past(), ["plan", "greedy", "random"], seed=1)}
    assert result["greedy"].findings > 1.5 * result["random"].findings
    assert result["plan"].findings > 1.2 * result["random"].findings
    assert len({each.tests for each in result.values()}) == 1
    assert all(each.findings <= each.failures for each in result.values())


def test_what_was_not_chosen_teaches_nothing() -> None:
    """Turning every outcome outside the choices of the first strategy leaves its later choices as they were."""
    world, seen = past(), []
    named = STRATEGIES["greedy"]

    def remembering(view: StrategyView) -> StrategyChoice:
        choice = named.strategy(view)
        seen.append(view.sku[choice.chosen])
        return choice

    recorded = NamedStrategy(remembering, "")
    evaluate_in_hindsight(world, ["greedy"], seed=2, registry={"greedy": recorded})
    first, learned = [rows.copy() for rows in seen], np.zeros(len(world.month), dtype=np.bool_)
    learned[np.concatenate(first)] = True
    learned[world.month < 2] = True
    turned = replace(world, failed=np.where(learned, world.failed, ~world.failed))
    seen.clear()
    evaluate_in_hindsight(turned, ["greedy"], seed=2, registry={"greedy": recorded})
    assert all(np.array_equal(one, other) for one, other in zip(first, seen, strict=True))


def test_features_that_tell_the_outcome_of_unchosen_tests_are_left_out() -> None:
    left = [feature.name for feature in CATALOGUE if not OUTCOME_TABLES & set(feature.source.needs)]
    assert left
    assert not [name for name in left if "fail_rate_" in name and "learned" not in name]


def test_the_summary_says_what_it_does_not_say() -> None:
    text = hindsight_text(evaluate_in_hindsight(past(), ["random"], seed=1))
    assert "it says nothing about the catalogue" in text


@pytest.mark.parametrize("name", ["EVA", "Thompson"])
def test_every_kind_of_strategy_can_look_back(name: str) -> None:
    assert evaluate_in_hindsight(past(600, 5), [name], seed=3)[0].tests > 0
