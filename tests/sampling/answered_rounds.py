"""A round on disk with all its results, over SKUs of which half is nearly sure to fail and the score knows it."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.lake.lab_results import SCHEMA
from data.workspace import Workspace
from sampling.plan import Plan, allocate
from sampling.policy import sampling_policy_in_force
from sampling.rounds import write_plan
from tests.sampling.frames import candidates

SKUS, BUDGET_EUR, REPORTED_AFTER = 3_000, 100_000, timedelta(days=20)


@dataclass(frozen=True)
class AnsweredRound:
    """A round with all its results, and the truth of every SKU."""

    workspace: Workspace
    plan: Plan
    fails: dict[str, bool]


def answered_round(
    workspace: Workspace, as_of: date, name: str = "S{:05d}", market: str = "DE", half: str = "home_kitchen"
) -> AnsweredRound:
    """Draw a round over SKUs of these names, in `half` and jewellery, and hand all results in 20 days later."""
    rng = np.random.default_rng(4)
    p_fail = np.where(rng.random(SKUS) < 0.5, rng.beta(30, 1, SKUS), rng.beta(1, 60, SKUS))
    table = candidates(p_fail, rng.choice([half, "jewellery"], SKUS), market)
    names = [name.format(number) for number in range(SKUS)]
    table = table.set_column(0, "sku_id", [names])
    table = table.set_column(table.column_names.index("as_of"), "as_of", pa.repeat(pa.scalar(as_of), SKUS))
    plan = allocate(table, sampling_policy_in_force(as_of), BUDGET_EUR, seed=1)
    fails = dict(zip(names, (rng.random(SKUS) < p_fail).tolist(), strict=True))
    write_plan(plan, workspace.plans)
    units = plan.units
    columns = {
        "test_id": [f"T-list-{row}" for row in range(len(units))],
        **{name: units[name] for name in ("sku_id", "market", "package", "lab_id")},
        "happened_on": [as_of] * len(units), "known_on": [as_of + REPORTED_AFTER] * len(units),
        "result": ["fail" if fails[name] else "pass" for name in units["sku_id"].to_pylist()],
        "round_id": [plan.summary.round_id] * len(units),
    }  # fmt: skip
    rows = {name: columns.get(name, pa.nulls(len(units), SCHEMA.field(name).type)) for name in SCHEMA.names}
    workspace.results.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(rows).cast(SCHEMA), workspace.results / "r-list.parquet")
    return AnsweredRound(workspace, plan, fails)
