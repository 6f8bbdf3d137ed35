"""Laboratories compared: alike ones are left in peace, one that fails half as much is named."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.lake.lab_results import SCHEMA
from data.workspace import Workspace
from sampling.laboratories import (
    FailureCounts,
    LaboratoryComparison,
    clopper_pearson,
    compare_laboratories,
    laboratory_policy_in_force,
    rate_change,
    rate_ratio,
)
from sampling.plan import Plan, allocate
from sampling.rounds import write_plan
from tests.sampling.frames import AS_OF, POLICY, candidates

HALF_A_YEAR = timedelta(days=182)
DECIDED = laboratory_policy_in_force(AS_OF)


@pytest.fixture(scope="module")
def drawn() -> Plan:
    """A round of 700 tests of one method, which two laboratories share two to one."""
    rng = np.random.default_rng(5)
    return allocate(candidates(rng.beta(2, 6, 3_000), "textile"), POLICY, 98_000, seed=2)


@dataclass(frozen=True)
class Found:
    """The shares of failures that laboratories find; every other test is half a year later, when they find `later`."""

    at_first: dict[str, float]
    later: dict[str, float] | None = None


ALL = {"one": 1.0, "two": 1.0}
HALF = Found({"one": 1.0, "two": 0.5})


def compared(plan: Plan, home: Path, found: Found, seed: int = 0) -> dict[str, LaboratoryComparison]:
    """The comparison of the laboratories; the last 40 tests are done again."""
    workspace = Workspace(home)
    write_plan(plan, workspace.plans)
    rng, units = np.random.default_rng(seed), plan.units
    truth = rng.random(len(units)) < np.asarray(units["p_fail"])
    names = units["lab_id"].to_pylist()
    late = np.arange(len(units)) % 2 * (found.later is not None)
    shares = (found.at_first, found.later or {})
    planned = [truth[row] and rng.random() < shares[late[row]][name] for row, name in enumerate(names)]
    days = [AS_OF + HALF_A_YEAR * int(late[row]) for row in [*range(len(units)), *range(len(units) - 40, len(units))]]
    again = list(range(len(units) - 40, len(units)))
    other = {"one": "two", "two": "one"}
    rows = [*range(len(units)), *again]
    labs = [*names, *(other[names[row]] for row in again)]
    failed = [*planned, *(bool(truth[row]) for row in again)]
    known = {
        "test_id": [f"T{number}" for number in range(len(rows))],
        **{name: units[name].take(pa.array(rows)) for name in ("sku_id", "market", "package")},
        "happened_on": days, "known_on": [each + timedelta(days=9) for each in days], "lab_id": labs,
        "result": ["fail" if each else "pass" for each in failed],
        "round_id": [plan.summary.round_id] * len(units) + [None] * 40,
    }  # fmt: skip
    columns = {name: known.get(name, pa.nulls(len(rows), SCHEMA.field(name).type)) for name in SCHEMA.names}
    workspace.results.mkdir(parents=True)
    pq.write_table(pa.table(columns).cast(SCHEMA), workspace.results / "r-1.parquet")
    return {each.lab_id: each for each in compare_laboratories(workspace, max(days) + timedelta(days=30), DECIDED)}


def test_a_laboratory_that_fails_half_as_much_is_named_and_its_interval_holds_the_truth(
    drawn: Plan, tmp_path: Path
) -> None:
    """It comes with what to do; its ratio is its own share of failures found, over the other's."""
    told = compared(drawn, tmp_path, HALF)
    strict = told["two"].strictness
    assert told["two"].differs
    assert strict is not None
    assert strict.low < 0.5 < strict.high < 1
    assert told["two"].sentence.endswith("Ask for split samples.")
    assert told["two"].pairs == told["one"].pairs == 40


def test_alike_laboratories_are_not_named(drawn: Plan, tmp_path: Path) -> None:
    """Of 20 comparisons of laboratories that are and stay alike, hardly one names any."""
    alike = Found(ALL, ALL)
    named = [
        any(each.differs or each.drifts for each in compared(drawn, tmp_path / str(seed), alike, seed).values())
        for seed in range(20)
    ]
    assert sum(named) <= 3


def test_a_laboratory_that_drifts_is_named_with_its_own_past(drawn: Plan, tmp_path: Path) -> None:
    """One that begins to overlook failures is named; one that always did differs and does not drift."""
    told = compared(drawn, tmp_path / "drift", Found(ALL, {"one": 1.0, "two": 0.3}))["two"]
    assert told.drifts
    assert told.change is not None
    assert told.change.low < 0.3 < told.change.high
    assert "times its own rate of before" in told.sentence
    assert told.sentence.endswith("ask what has changed. Ask for split samples.")
    always = compared(drawn, tmp_path / "always", Found({"one": 1.0, "two": 0.3}, {"one": 1.0, "two": 0.3}))["two"]
    assert always.differs
    assert not always.drifts
    assert "before" not in always.sentence


COUNTS = st.builds(
    FailureCounts, st.just("one"), st.just(300), st.integers(0, 200), st.integers(0, 200), st.floats(0.5, 100),
    st.floats(0.5, 100),
)  # fmt: skip


@given(COUNTS, COUNTS)
def test_a_change_backwards_is_its_inverse_and_none_is_one(now: FailureCounts, before: FailureCounts) -> None:
    """Limits included."""
    change, back, none = rate_change(now, before, 0.95), rate_change(before, now, 0.95), rate_change(now, now, 0.95)
    assert change.low < change.value < change.high
    assert (1 / change.high, 1 / change.value, 1 / change.low) == pytest.approx((back.low, back.value, back.high))
    assert none.value == pytest.approx(1)


def test_results_after_the_day_count_for_nothing(drawn: Plan, tmp_path: Path) -> None:
    """What became known on the day itself is not compared yet."""
    compared(drawn, tmp_path, HALF)
    assert compare_laboratories(Workspace(tmp_path), AS_OF + timedelta(days=9), DECIDED) == []


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 200), st.integers(1, 200), st.floats(0.5, 100), st.floats(0.5, 100))
def test_the_ratio_of_the_others_is_its_inverse(own: int, others: int, mine: float, theirs: float) -> None:
    """Who is twice as strict makes the others half as strict, limits included."""
    ratio = rate_ratio((own, others), (mine, theirs), 0.95)
    inverse = rate_ratio((others, own), (theirs, mine), 0.95)
    assert ratio.low <= ratio.value <= ratio.high
    assert (1 / ratio.high, 1 / ratio.value, 1 / ratio.low) == pytest.approx((inverse.low, inverse.value, inverse.high))


def test_the_exact_interval_of_no_hit_and_of_all() -> None:
    """Without a hit the lower limit is 0 and the upper one the rule of three; with all of them the reverse."""
    none, every = clopper_pearson(0, 30, 0.95), clopper_pearson(30, 30, 0.95)
    assert none.low == 0.0
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 30))
    assert every.low == pytest.approx(1 - none.high)
    assert every.high == 1.0
