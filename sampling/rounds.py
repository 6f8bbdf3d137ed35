"""The rounds of a workspace: written whole, read back, and how many of their results are in."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.errors import UserError
from data.lake.lab_results import accepted_results
from data.workspace import Workspace, replace_atomically
from sampling.plan import Plan

RECORD_FILE, PLAN_FILE, STRATA_FILE = "round.json", "plan.parquet", "strata.parquet"
FRAME_FILE, OUTSIDE_FILE = "frame.parquet", "outside.parquet"
FINAL_FROM = 0.95


@dataclass(frozen=True)
class RoundStatus:
    """How far a round is: tests planned, results in; `provisional` until 95 % are in.

    `strata` (stratum, planned, received) counts them where they were drawn, so that tests without a result can be
    weighted.
    """

    round_id: str
    planned: int
    received: int
    strata: pa.Table

    @property
    def provisional(self) -> bool:
        """Whether conclusions are still barred: failures take longer to confirm than passes."""
        return self.received < FINAL_FROM * self.planned


def write_plan(plan: Plan, folder: Path) -> Path:
    """Write a round to `folder/<round id>`, whole or not at all; return that folder.

    It holds `round.json` (what bounds the plan, and how to redraw it), `plan.parquet` (the SKUs to test), and of
    the whole frame `frame.parquet`, `strata.parquet` and `outside.parquet`. Raises UserError where another plan has
    this round id: somebody may be testing by it.
    """
    target = folder / plan.summary.round_id
    text = json.dumps(asdict(plan.summary), indent=2, default=date.isoformat) + "\n"
    written = target / RECORD_FILE
    if written.is_file():
        if written.read_text(encoding="utf-8") == text:
            return target
        raise UserError(f"Round {plan.summary.round_id} already has another plan, in {target}. Give another seed.")
    with replace_atomically(target) as attempt:
        attempt.mkdir()
        pq.write_table(plan.units, attempt / PLAN_FILE)
        pq.write_table(plan.strata, attempt / STRATA_FILE)
        pq.write_table(frame_table(plan), attempt / FRAME_FILE, compression="zstd")
        pq.write_table(plan.frame.outside, attempt / OUTSIDE_FILE)
        (attempt / RECORD_FILE).write_text(text, encoding="utf-8")
    return target


def frame_table(plan: Plan) -> pa.Table:
    """Every SKU that could have been drawn: sku_id, market, category, stratum, p_fail, exposure."""
    every = np.arange(len(plan.frame))
    return pa.table({
        **{name: plan.frame.column(name, every) for name in ("sku_id", "market", "category")},
        "stratum": pa.array(plan.stratum, pa.int32()),
        "p_fail": pa.array(plan.frame.p_fail),
        "exposure": pa.array(plan.frame.exposure, from_pandas=True),
    })  # fmt: skip


def round_ids(workspace: Workspace) -> list[str]:
    """The rounds of a workspace, by day."""
    return sorted(path.parent.name for path in workspace.plans.glob(f"*/{RECORD_FILE}"))


def round_folder(workspace: Workspace, round_id: str) -> Path:
    """The folder of a round; UserError where there is none of this name."""
    if round_id not in round_ids(workspace):
        known = ", ".join(round_ids(workspace)[-5:]) or "none yet; run `touchstone allocate`"
        raise UserError(f"There is no round {round_id!r} in {workspace.plans}. The latest are: {known}.")
    return workspace.plans / round_id


def round_record(workspace: Workspace, round_id: str) -> Mapping[str, Any]:
    """The content of a round's `round.json`."""
    record: dict[str, Any] = json.loads((round_folder(workspace, round_id) / RECORD_FILE).read_text(encoding="utf-8"))
    return record


def planned_tests(workspace: Workspace) -> pa.Table:
    """The tests of all rounds, as their plans say."""
    names = ["round_id", "sku_id", "market", "package", "lab_id", "method", "as_of", "due_on", "inclusion_probability"]
    plans = [pq.read_table(workspace.plans / name / PLAN_FILE, columns=names) for name in round_ids(workspace)]
    if plans:
        return pa.concat_tables(plans)
    types = {"as_of": pa.date32(), "due_on": pa.date32(), "inclusion_probability": pa.float64()}
    return pa.schema([(name, types.get(name, pa.string())) for name in names]).empty_table()


def in_progress(workspace: Workspace, as_of: date, grace_days: int, but: str) -> pa.Table:
    """Planned tests without a result known before `as_of`: sku_id, market, method, drawn_on.

    One that is overdue by more than `grace_days` is given up; its SKU may be drawn again. The round `but`
    is left out, so that it can be redrawn as it was.
    """
    planned = planned_tests(workspace)
    planned = planned.filter(pc.not_equal(planned["round_id"], but))
    known = accepted_results(workspace)
    known = known.filter(pc.less(known["known_on"], pa.scalar(as_of, pa.date32())))
    still = pc.and_(
        pc.less_equal(planned["as_of"], pa.scalar(as_of, pa.date32())),
        pc.greater_equal(planned["due_on"], pa.scalar(as_of - timedelta(days=grace_days), pa.date32())),
    )
    waiting = planned.filter(still).join(known.select(["round_id", "sku_id", "market"]),
                                         keys=["round_id", "sku_id", "market"], join_type="left anti")  # fmt: skip
    return waiting.select(["sku_id", "market", "method", "as_of"]).rename_columns(
        ["sku_id", "market", "method", "drawn_on"]
    )


def results_of(workspace: Workspace, round_id: str) -> pa.Table:
    """The accepted results of a round, in the order in which they became known."""
    results = accepted_results(workspace)
    return results.filter(pc.equal(results["round_id"], round_id)).sort_by([("known_on", "ascending")])


def round_status(workspace: Workspace, round_id: str) -> RoundStatus:
    """How many results of a round are in; UserError where there is no such round."""
    plan = pq.read_table(round_folder(workspace, round_id) / PLAN_FILE, columns=["sku_id", "market", "stratum"])
    received = results_of(workspace, round_id).select(["sku_id", "market"]).group_by(["sku_id", "market"]).aggregate([])
    received = received.append_column("received", pa.repeat(pa.scalar(1), len(received)))
    joined = plan.join(received, keys=["sku_id", "market"])
    strata = joined.group_by("stratum").aggregate([("sku_id", "count"), ("received", "count")]).sort_by("stratum")
    strata = strata.rename_columns(["stratum", "planned", "received"])
    return RoundStatus(round_id, len(plan), int(pc.sum(strata["received"]).as_py() or 0), strata)
