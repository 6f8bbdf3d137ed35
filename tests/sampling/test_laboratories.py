"""Laboratories compared: alike ones are left in peace, one that fails half as much is named."""

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
    LaboratoryComparison,
    clopper_pearson,
    compare_laboratories,
    laboratory_policy_in_force,
    rate_ratio,
)
from sampling.plan import Plan, allocate
from sampling.rounds import write_plan
from tests.sampling.frames import AS_OF, POLICY, candidates

LATER = AS_OF + timedelta(days=30)
DECIDED = laboratory_policy_in_force(AS_OF)


@pytest.fixture(scope="module")
def drawn() -> Plan:
    """A round of 700 tests of one method, which two laboratories share two to one."""
    rng = np.random.default_rng(5)
    return allocate(candidates(rng.beta(2, 6, 3_000), "textile"), POLICY, 98_000, seed=2)


def compared(plan: Plan, home: Path, found: dict[str, float], seed: int = 0) -> dict[str, LaboratoryComparison]:
    """The comparison where each laboratory finds a share of the failures; the last 40 tests are done again."""
    workspace = Workspace(home)
    write_plan(plan, workspace.plans)
    rng, units = np.random.default_rng(seed), plan.units
    truth = rng.random(len(units)) < np.asarray(units["p_fail"])
    names = units["lab_id"].to_pylist()
    planned = [truth[row] and rng.random() < found[name] for row, name in enumerate(names)]
    again = list(range(len(units) - 40, len(units)))
    other = {"one": "two", "two": "one"}
    rows = [*range(len(units)), *again]
    labs = [*names, *(other[names[row]] for row in again)]
    failed = [*planned, *(bool(truth[row]) for row in again)]
    known = {
        "test_id": [f"T{number}" for number in range(len(rows))],
        **{name: units[name].take(pa.array(rows)) for name in ("sku_id", "market", "package")},
        "happened_on": [AS_OF] * len(rows), "known_on": [AS_OF + timedelta(days=9)] * len(rows), "lab_id": labs,
        "result": ["fail" if each else "pass" for each in failed],
        "round_id": [plan.summary.round_id] * len(units) + [None] * 40,
    }  # fmt: skip
    columns = {name: known.get(name, pa.nulls(len(rows), SCHEMA.field(name).type)) for name in SCHEMA.names}
    workspace.results.mkdir(parents=True)
    pq.write_table(pa.table(columns).cast(SCHEMA), workspace.results / "r-1.parquet")
    return {each.lab_id: each for each in compare_laboratories(workspace, LATER, DECIDED)}


def test_a_laboratory_that_fails_half_as_much_is_named_and_its_interval_holds_the_truth(
    drawn: Plan, tmp_path: Path
) -> None:
    """It comes with what to do; its ratio is its own share of failures found, over the other's."""
    told = compared(drawn, tmp_path, {"one": 1.0, "two": 0.5})
    strict = told["two"].strictness
    assert told["two"].differs
    assert strict is not None
    assert strict.low < 0.5 < strict.high < 1
    assert told["two"].sentence.endswith("Ask for split samples.")
    assert told["two"].pairs == told["one"].pairs == 40


def test_alike_laboratories_are_not_named(drawn: Plan, tmp_path: Path) -> None:
    """Of 20 comparisons of alike laboratories hardly one names any."""
    named = [
        any(each.differs for each in compared(drawn, tmp_path / str(seed), {"one": 1.0, "two": 1.0}, seed).values())
        for seed in range(20)
    ]
    assert sum(named) <= 3


def test_results_after_the_day_count_for_nothing(drawn: Plan, tmp_path: Path) -> None:
    """What became known on the day itself is not compared yet."""
    compared(drawn, tmp_path, {"one": 1.0, "two": 0.5})
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
