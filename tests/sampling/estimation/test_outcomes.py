"""Rounds of screens: no bias whatever was stated of them where full tests confirm a share, and honest without."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from sampling.estimation.prevalence import BY_SKUS, BY_UNITS_SOLD, DomainEstimate, prevalence
from sampling.estimation.round_data import Domain, build_round_data
from sampling.estimation.screens import ScreenEvidence, learn_sensitivity
from tests.sampling.rounds import Market, market, policy

WHOLE = Domain()


def figure(world: Market, seed: int, finds: float, share: float, measure: str = BY_SKUS) -> DomainEstimate:
    told = prevalence([build_round_data(world.screened(seed, 0.8, finds, share), policy())], WHOLE, measure, policy())
    assert told is not None
    return told


@pytest.mark.parametrize("measure", [BY_SKUS, BY_UNITS_SOLD])
@pytest.mark.parametrize("finds", [0.65, 0.8, 0.95])
def test_confirmed_screens_have_no_bias_whatever_was_stated(finds: float, measure: str) -> None:
    world = market(skus=4_000)
    size = world.sold if measure == BY_UNITS_SOLD else np.ones(len(world))
    truth = float(size @ world.failing / size.sum())
    told = [figure(world, seed, finds, 0.2, measure) for seed in range(80)]
    errors = np.array([each.share.value for each in told]) / truth - 1
    assert abs(errors.mean()) < 3 * errors.std() / np.sqrt(len(errors))
    assert np.mean([each.share.low <= truth <= each.share.high for each in told]) >= 0.93
    most = 2 if finds <= 0.8 else 4  # a screen better than stated leaves less to chance than was foreseen
    assert np.mean([each.share.variance for each in told]) < most * np.var([each.share.value for each in told])


def test_without_confirmations_the_statement_is_believed_and_its_doubt_widens_the_interval() -> None:
    world = market(skus=4_000)
    truth = world.failing.mean()
    right, wrong = ([figure(world, seed, finds, 0.0) for seed in range(60)] for finds in (0.8, 0.65))
    assert np.mean([each.share.value for each in right]) == pytest.approx(truth, rel=0.03)
    assert np.mean([each.share.value for each in wrong]) < 0.9 * truth
    assert np.mean([each.share.low <= truth <= each.share.high for each in wrong]) > 0.8
    sure = {"screen": learn_sensitivity("screen", 0.8, [ScreenEvidence("r0", "screen", 8_000, 2_000, 1.0)], policy())}
    record = replace(world.screened(1, 0.8, 0.8, 0.0), screens=sure)
    known = prevalence([build_round_data(record, policy())], WHOLE, BY_SKUS, policy())
    assert known is not None
    assert known.share.width < 0.8 * right[1].share.width


def test_the_doubt_about_a_screen_is_the_same_in_every_round() -> None:
    """Ten rounds know no more of it than one, so their interval does not shrink as much as that of full tests."""
    world = market(skus=4_000)
    rounds = [build_round_data(world.screened(seed, 0.8, 0.8, 0.0, f"r{seed}"), policy()) for seed in range(10)]
    one, ten = (prevalence(rounds[:count], WHOLE, BY_SKUS, policy()) for count in (1, 10))
    assert one is not None
    assert ten is not None
    assert ten.share.width > 0.5 * one.share.width


def test_results_of_confirming_tests_that_are_still_to_come_leave_a_round_provisional() -> None:
    record = market().screened(1, 0.8, 0.65, 0.2)
    part = replace(record, confirmations=record.confirmations.slice(0, len(record.confirmations) // 2))
    whole, half, none = (
        build_round_data(each, policy())
        for each in (record, part, replace(record, confirmations=record.confirmations.slice(0, 0)))
    )
    assert whole.share_in == 1 > half.share_in > none.share_in
    assert floats_of(whole.units, "error").max() == floats_of(half.units, "error").max() == 0
    assert floats_of(none.units, "error").max() > 0


def test_a_confirming_test_has_the_last_word_among_the_failures() -> None:
    record = market().screened(1, 0.8, 0.5, 0.5)
    data = build_round_data(record, policy())
    by_screens = record.results["result"].to_pylist().count("fail")
    assert data.count_failures(WHOLE) == by_screens + record.confirmations["result"].to_pylist().count("fail")


def test_a_sku_outside_that_only_a_screen_passed_counts_with_its_chance_to_fail() -> None:
    record = market(skus=400).record(1)
    outside = pa.table({
        "sku_id": ["A", "B", "C", "D"], "market": ["DE"] * 4, "category": ["toys"] * 4, "exposure": [1.0] * 4,
        "why": ["labelled"] * 4, "failed": [False, False, False, True],
    })  # fmt: skip
    earlier = pa.table({
        "sku_id": ["A", "B", "B", "C"], "market": ["DE"] * 4, "result": ["pass", "pass", "fail", "pass"],
        "package": ["screen", "screen", "full", "full"], "p_fail": [0.5, 0.5, None, 0.5],
    })  # fmt: skip
    screens = {"screen": learn_sensitivity("screen", 0.8, (), policy())}
    data = build_round_data(replace(record, outside=outside, earlier=earlier, screens=screens), policy())
    failed = dict(zip(data.outside["sku_id"].to_pylist(), data.outside["failed"].to_pylist(), strict=True))
    assert failed == {"A": pytest.approx(0.1 / 0.6, abs=0.001), "B": 1.0, "C": 0.0, "D": 1.0}
    assert floats_of(data.outside, "error").astype(bool).tolist() == [True, False, False, False]


def floats_of(table: pa.Table, name: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.asarray(table[name], dtype=np.float64)
