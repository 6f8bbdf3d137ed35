"""Lists with a promise: the true share of wrong SKUs over repeated draws of a round, beside a naive cut-off.

Run: make bench-promise. Every replay goes the product's way: plan drawn, results handed in, list chosen from files.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from os import cpu_count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.report import machine, table, versions, write_report
from data.errors import UserError
from data.lake.lab_results import SCHEMA
from data.workspace import Workspace
from sampling.estimation.round_data import Domain
from sampling.plan import Plan, allocate
from sampling.policy import LabCapacity, SamplingPolicy, sampling_policy_in_force
from sampling.problem import Floats, Truths
from sampling.rounds import write_plan
from sampling.selected_lists import FAILS, Goal, ListRequest, select_list, selection_policy_in_force

DAY, SKUS, BUDGET_EUR, SLOTS, REPLAYS = date(2026, 6, 30), 20_000, 600_000, 2_000, 500
REPORTED = DAY + timedelta(days=20)
CATEGORIES = ("toys_3_plus", "apparel_children", "home_kitchen")
PROMISES: tuple[tuple[Goal, float], ...] = ((FAILS, 0.1), ("passes", 0.01))
WORLDS = ("calibrated score", "score twice too sure", "score worth little")


@dataclass(frozen=True)
class World:
    """A catalogue with its truth: the candidates with their scores, and which of them would fail."""

    candidates: pa.Table
    failing: Truths


@dataclass(frozen=True)
class Listed:
    """One list of one replay: how many SKUs, the share of them wrong (0 of none), and the share of all right ones.

    `stated` is the share that may be wrong where a list is given, as the list itself says.
    """

    size: int
    wrong: float
    power: float
    stated: float = 0.0


@dataclass(frozen=True)
class Replay:
    """One round: its tests, and for each promise the list and the naive one."""

    tests: int
    lists: tuple[tuple[Listed, Listed], ...]


@dataclass(frozen=True)
class Replayed:
    """The lists of one world and promise over all replays; means, and one standard error of `wrong`.

    `..._where_listed` leave out replays whose tests carried no list; `naive_` is the cut-off that trusts `p_fail`.
    """

    world: str
    goal: str
    promised: float
    replays: int
    tests: float
    wrong: float
    error: float
    listed: float
    wrong_where_listed: float
    stated_where_listed: float
    size: float
    power: float
    naive_wrong: float
    naive_size: float
    naive_power: float

    @property
    def kept(self) -> bool:
        """Whether the mean false share is at most the promised one, within two standard errors."""
        return self.wrong <= self.promised + 2 * self.error


def main(replays: int = REPLAYS) -> None:
    """Replay every world on all cores, write the report."""
    jobs = [(name, seed) for name in WORLDS for seed in range(replays)]
    with ProcessPoolExecutor(cpu_count() or 1) as pool:
        replayed = dict(zip(jobs, pool.map(_replay, *zip(*jobs, strict=True), chunksize=10), strict=True))
    measured = [
        _summary(name, number, [replayed[name, seed] for seed in range(replays)])
        for name in WORLDS
        for number in range(len(PROMISES))
    ]
    rows = [
        (each.world, f"{each.goal}, {each.promised:.0%}", f"{each.wrong:.2%} ± {each.error:.2%}",
         "yes" if each.kept else "NO", f"{each.listed:.0%}", f"{each.wrong_where_listed:.2%}",
         f"{each.stated_where_listed:.2%}", f"{each.size:,.0f}", f"{each.power:.0%}",
         f"{each.naive_wrong:.2%}", f"{each.naive_size:,.0f}", f"{each.naive_power:.0%}")
        for each in measured
    ]  # fmt: skip
    explanation = (
        f"{SKUS:,} SKUs, of which {_world(WORLDS[0]).failing.mean():.1%} fail; {replays} rounds of about "
        f"{measured[0].tests:,.0f} full tests (EUR {BUDGET_EUR:,}) drawn with different seeds against one truth. The "
        "list is that of `touchstone select`, the naive cut-off the longest list by `p_fail` whose own `p_fail` add up "
        "to the promised share. Means over replays, ± one standard error; a replay whose tests carry no list counts as "
        "0 wrong, as the promise counts it; the mean of the others stands beside it, with what these "
        "lists say of themselves. Power is the share of all untested SKUs with the outcome that are on the list; kept: "
        "at most the promised share, within two standard errors."
    )
    columns = ("score", "promise", "wrong on average", "kept", "replays with a list", "wrong where there is one",
               "stated for these", "SKUs listed", "power", "naive: wrong", "naive: SKUs", "naive: power")  # fmt: skip
    result = {"machine": machine(), "versions": versions("numpy", "scipy"), "lists": [vars(each) for each in measured]}
    page = write_report("promise", "Lists with a promise", result, [explanation, table(columns, rows)])
    sys.stdout.write(page.read_text(encoding="utf-8"))


@cache
def _world(name: str) -> World:
    """An eighth of the SKUs nearly always fails, the rest hardly ever; the score knows it more or less well."""
    rng = np.random.default_rng(2_507)
    bad = rng.random(SKUS) < 1 / 8
    risk = np.where(bad, rng.beta(15, 1, SKUS), rng.beta(0.3, 60, SKUS))
    failing = rng.random(SKUS) < risk
    logit = np.log(np.clip(risk, 1e-5, 1 - 1e-5) / np.clip(1 - risk, 1e-5, 1))
    change: dict[str, Floats] = {
        WORLDS[0]: logit, WORLDS[1]: 2 * logit, WORLDS[2]: 0.5 * logit + rng.normal(0, 2, SKUS),
    }  # fmt: skip
    scored = 1 / (1 + np.exp(-change[name]))
    candidates = pa.table({
        "sku_id": [f"S{row:05d}" for row in range(SKUS)], "market": ["DE"] * SKUS,
        "category": rng.choice(CATEGORIES, SKUS), "p_fail": scored, "as_of": pa.repeat(pa.scalar(DAY), SKUS),
    })  # fmt: skip
    return World(candidates, failing)


@cache
def _policy() -> SamplingPolicy:
    """The policy in force, with laboratories large enough for a round of a year's tests."""
    policy = sampling_policy_in_force(DAY)
    labs = [LabCapacity(name=each.name, slots=dict.fromkeys(each.slots, SLOTS)) for each in policy.labs]
    return policy.model_copy(update={"labs": labs})


def _replay(name: str, seed: int) -> Replay:
    world = _world(name)
    plan = allocate(world.candidates, _policy(), BUDGET_EUR, seed)
    with TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        write_plan(plan, workspace.plans)
        _hand_in(workspace, plan, world.failing)
        return Replay(len(plan.units), tuple(_lists(workspace, plan, world)))


def _hand_in(workspace: Workspace, plan: Plan, failing: Truths) -> None:
    units = plan.units
    rows = [int(name[1:]) for name in units["sku_id"].to_pylist()]
    known = {
        "test_id": [f"T{row}" for row in rows], **{name: units[name] for name in ("sku_id", "market", "package")},
        "happened_on": [DAY] * len(rows), "known_on": [REPORTED] * len(rows),
        "result": np.where(failing[rows], "fail", "pass").tolist(), "round_id": units["round_id"],
    }  # fmt: skip
    columns = {name: known.get(name, pa.nulls(len(rows), SCHEMA.field(name).type)) for name in SCHEMA.names}
    workspace.results.mkdir(parents=True)
    pq.write_table(pa.table(columns).cast(SCHEMA), workspace.results / "r-1.parquet")


def _lists(workspace: Workspace, plan: Plan, world: World) -> Iterator[tuple[Listed, Listed]]:
    open_ = np.ones(SKUS, dtype=np.bool_)
    open_[[int(name[1:]) for name in plan.units["sku_id"].to_pylist()]] = False
    p_fail = world.candidates["p_fail"].to_numpy()
    for goal, share in PROMISES:
        wrong = ~world.failing if goal == FAILS else world.failing
        request = ListRequest(goal, share, Domain())
        try:
            selected = select_list(workspace, request, REPORTED + timedelta(days=1), selection_policy_in_force(DAY))
            rows = [int(name[1:]) for name in selected.units["sku_id"].to_pylist()]
            stated = selected.false_share_given
        except UserError:
            rows, stated = [], 0.0
        expected = 1 - p_fail if goal == FAILS else p_fail
        order = np.flatnonzero(open_)[np.argsort(expected[open_], kind="stable")]
        within = np.cumsum(expected[order]) / np.arange(1, len(order) + 1) <= share
        naive = order[: int(within.sum())]
        own = _listed(np.array(rows, dtype=np.int64), wrong, open_)
        yield replace(own, stated=stated), _listed(naive, wrong, open_)


def _listed(rows: "np.ndarray[tuple[int], np.dtype[np.int64]]", wrong: Truths, open_: Truths) -> Listed:
    right = int((~wrong[rows]).sum())
    return Listed(len(rows), 1 - right / len(rows) if len(rows) else 0.0, right / int((~wrong & open_).sum()))


def _summary(name: str, number: int, replays: Sequence[Replay]) -> Replayed:
    goal, share = PROMISES[number]
    own, naive = ([each.lists[number][which] for each in replays] for which in (0, 1))
    wrong, listed = np.array([each.wrong for each in own]), np.array([each.size > 0 for each in own])
    return Replayed(
        world=name, goal=goal, promised=share, replays=len(replays), tests=_mean(each.tests for each in replays),
        wrong=float(wrong.mean()), error=float(wrong.std(ddof=1) / len(wrong) ** 0.5), listed=float(listed.mean()),
        wrong_where_listed=_mean(wrong[listed]) if listed.any() else 0.0,
        stated_where_listed=_mean(each.stated for each in own if each.size) if listed.any() else 0.0,
        size=_mean(each.size for each in own), power=_mean(each.power for each in own),
        naive_wrong=_mean(each.wrong for each in naive), naive_size=_mean(each.size for each in naive),
        naive_power=_mean(each.power for each in naive),
    )  # fmt: skip


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


if __name__ == "__main__":
    main()
