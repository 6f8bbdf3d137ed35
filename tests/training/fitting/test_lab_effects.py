"""Laboratory effects: significant where they differ, not where they do not, averaged out of what is scored."""

import numpy as np
import pandas as pd
import pytest

from models.calibration import fit_calibration
from tests.training.laboratories import LABS, STRICT
from training.fitting.lab_effects import UNKNOWN_LABS, LabEffects, fit_lab_effects
from training.metrics import Floats, sigmoid


def outcomes_by_labs(seed: int, strictness: float, count: int = 3000) -> tuple[Floats, pd.DataFrame]:
    """Margins of tests that laboratories drew at random, and the tests; the strict one adds `strictness`."""
    draw = np.random.default_rng(seed)
    margin, lab = draw.normal(-1.5, 1, count), draw.choice(LABS, count)
    failed = draw.random(count) < sigmoid(margin + strictness * (lab == STRICT))
    return margin, pd.DataFrame({
        "lab_id": lab, "failed": failed, "market": "EU", "category": draw.choice(["toys", "lamps"], count),
        "supplier_id": draw.integers(300, size=count).astype(str),
    })  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_a_strict_laboratory_counts_by_about_its_strictness(seed: int) -> None:
    effect = fit_lab_effects(*outcomes_by_labs(seed, 1.0))
    assert effect.significant
    lenient = np.mean([effect.effects[lab] for lab in LABS[1:]])
    assert 0.6 < effect.effects[STRICT] - lenient < 1.3, "shrunk a little"
    assert sum(effect.effects[lab] * effect.shares[lab] for lab in LABS) == pytest.approx(0, abs=1e-12)


def test_equal_laboratories_seldom_count_and_then_hardly_differ() -> None:
    """At a significance of 1 in 100."""
    effects = [fit_lab_effects(*outcomes_by_labs(seed, 0.0, count=1000)) for seed in range(60)]
    assert sum(effect.significant for effect in effects) <= 3
    assert sum(effect.p_value < 0.5 for effect in effects if effect.p_value is not None) in range(15, 46)
    assert max(abs(each) for effect in effects for each in effect.effects.values()) < 0.6


def test_the_fewer_its_tests_the_nearer_a_laboratory_is_to_the_others() -> None:
    """All of them failed, which alone would make it infinitely strict."""
    result = []
    for count in (3, 30, 300):
        margin, tests = outcomes_by_labs(1, 1.0)
        new = np.arange(len(tests)) < count
        changed = tests.assign(failed=tests["failed"] | new, lab_id=np.where(new, "LAB-new", tests["lab_id"]))
        result.append(fit_lab_effects(margin, changed).effects["LAB-new"])
    assert 0 < result[0] < 0.6 * result[1] < result[1] < result[2] < 10


def test_what_a_laboratory_tests_is_not_its_strictness() -> None:
    """It gets the toys, which fail more often; the margin does not know that."""
    margin, tests = outcomes_by_labs(3, 0.0, count=6000)
    draw = np.random.default_rng(3)
    toys = tests["category"] == "toys"
    tests["failed"] = draw.random(6000) < sigmoid(margin + 1.5 * toys.to_numpy())
    tests["lab_id"] = np.where(toys & (draw.random(6000) < 0.8), STRICT, draw.choice(LABS, 6000))
    effect = fit_lab_effects(margin, tests)
    assert not effect.significant
    assert abs(effect.effects[STRICT]) < 0.15


def test_a_laboratory_that_alone_tests_a_category_is_not_separated_from_it() -> None:
    """So what is strict or risky there is left to the category."""
    margin, tests = outcomes_by_labs(1, 2.0)
    tests["category"] = np.where(tests["lab_id"] == STRICT, "toys", "lamps")
    effect = fit_lab_effects(margin, tests)
    assert not effect.significant
    assert abs(effect.effects[STRICT]) < 0.2


def test_no_or_one_laboratory_has_no_effect() -> None:
    margin, tests = outcomes_by_labs(1, 1.0, count=100)
    assert fit_lab_effects(margin, tests.assign(lab_id=None)) == UNKNOWN_LABS
    assert fit_lab_effects(margin, tests.assign(lab_id="LAB-0")) == UNKNOWN_LABS
    assert (UNKNOWN_LABS.offset(tests["lab_id"]) == 0).all()


def test_an_unknown_laboratory_is_an_average_one() -> None:
    effect = LabEffects({"a": 0.5, "b": -0.5}, {"a": 0.5, "b": 0.5}, 0.5, 1e-6)
    assert effect.offset(pd.Series(["a", "c", None])).tolist() == [0.5, 0, 0]


def test_the_average_laboratory_finds_what_all_find_together() -> None:
    """Of SKUs with one score, tested by laboratories in their usual shares."""
    draw = np.random.default_rng(2)
    margin = draw.normal(-1, 1, 3000)
    result = fit_calibration(margin, (draw.random(3000) < sigmoid(margin)).astype(float))
    effect = LabEffects({"a": 0.9, "b": -0.3}, {"a": 0.25, "b": 0.75}, 0.6, 1e-6)
    averaged = effect.average_over_labs(result)
    at = np.linspace(-3, 2, 30)
    assert averaged.p_fail(at) == pytest.approx(
        0.25 * result.p_fail(at + 0.9) + 0.75 * result.p_fail(at - 0.3), abs=1e-3
    )
    low, high = averaged.interval(at)
    assert (low <= averaged.p_fail(at)).all()
    assert (averaged.p_fail(at) <= high).all()
    uncounted = LabEffects(effect.effects, effect.shares, 0.6, 0.5)
    assert uncounted.average_over_labs(result) == result
