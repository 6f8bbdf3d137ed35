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

from data.errors import NotFoundError, UserError
from data.lake.lab_results import current_results
from data.lake.report_versions import with_result
from data.workspace import Workspace, replace_atomically
from sampling.cancellations import Cancellation, cancellation_of, without_cancelled
from sampling.plan import Plan
from sampling.plan_files import PLAN_FILE, RECORD_FILE, planned_tests, round_ids
from sampling.round_answers import UNIT, answers_among, is_cancelled, of_another_package, round_answers

STRATA_FILE, FRAME_FILE, OUTSIDE_FILE = "strata.parquet", "frame.parquet", "outside.parquet"
FINAL_FROM = 0.95


@dataclass(frozen=True)
class RoundStatus:
    """How far a round is: tests planned, results in; `provisional` until 95 % are answered.

    `not_obtainable` tests are answered without a result; of a cancelled round these are all that have none.
    `other_laboratory` of the results are from another laboratory than planned and count; `other_package` more name the
    round, are of another package than planned, and do not.
    `strata` (stratum, planned, received) counts the results where they were drawn, so that tests without a result can
    be weighted.
    """

    round_id: str
    planned: int
    received: int
    not_obtainable: int
    other_laboratory: int
    other_package: int
    strata: pa.Table
    cancellation: Cancellation | None = None

    @property
    def provisional(self) -> bool:
        """Whether conclusions are still barred: failures take longer to confirm than passes."""
        return self.received + self.not_obtainable < FINAL_FROM * self.planned


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
    """Every SKU of the frame: sku_id, market, category, stratum, p_fail, inclusion_probability, exposure."""
    every = np.arange(len(plan.frame))
    return pa.table({
        **{name: plan.frame.column(name, every) for name in ("sku_id", "market", "category")},
        "stratum": pa.array(plan.stratum, pa.int32()),
        "p_fail": pa.array(plan.frame.p_fail),
        "inclusion_probability": pa.array(plan.inclusion),
        "exposure": pa.array(plan.frame.exposure, from_pandas=True),
    })  # fmt: skip


def round_folder(workspace: Workspace, round_id: str) -> Path:
    """The folder of a round; NotFoundError where there is none of this name."""
    if round_id not in round_ids(workspace):
        known = ", ".join(round_ids(workspace)[-5:]) or "none yet; run `touchstone allocate`"
        raise NotFoundError(f"There is no round {round_id!r}. The latest are: {known}.")
    return workspace.plans / round_id


def round_record(workspace: Workspace, round_id: str) -> Mapping[str, Any]:
    """The content of a round's `round.json`."""
    record: dict[str, Any] = json.loads((round_folder(workspace, round_id) / RECORD_FILE).read_text(encoding="utf-8"))
    return record


def in_progress(workspace: Workspace, as_of: date, grace_days: int, but: str) -> pa.Table:
    """Planned tests that nothing known before `as_of` answers: sku_id, market, method, drawn_on.

    One that is overdue by more than `grace_days` is given up, and so are those of a cancelled round; their SKUs may be
    drawn again. The round `but` is left out, so that it can be redrawn as it was.
    """
    planned = without_cancelled(planned_tests(workspace), workspace, but)
    planned = planned.filter(pc.not_equal(planned["round_id"], but))
    known = round_answers(workspace, as_of)
    still = pc.and_(
        pc.less_equal(planned["as_of"], pa.scalar(as_of, pa.date32())),
        pc.greater_equal(planned["due_on"], pa.scalar(as_of - timedelta(days=grace_days), pa.date32())),
    )
    waiting = planned.filter(still).join(known.select(UNIT), keys=UNIT, join_type="left anti")
    return waiting.select(["sku_id", "market", "method", "as_of"]).rename_columns(
        ["sku_id", "market", "method", "drawn_on"]
    )


def results_of(workspace: Workspace, round_id: str) -> pa.Table:
    """What answers the tests of a round, in the order in which it became known; see `answers_among`."""
    answers = round_answers(workspace)
    return answers.filter(pc.equal(answers["round_id"], round_id))


def round_status(workspace: Workspace, round_id: str, current: pa.Table | None = None) -> RoundStatus:
    """How far a round is; UserError where there is no such round.

    `current` are the results of the round in the versions that count, read from the workspace where not given.
    """
    plan = pq.read_table(round_folder(workspace, round_id) / PLAN_FILE, columns=["sku_id", "market", "stratum"])
    planned = planned_tests(workspace, [round_id])
    results = current_results(workspace) if current is None else current
    results = results.filter(pc.equal(results["round_id"], round_id))
    answers = answers_among(results, planned)
    received, cancelled = (_units(rows) for rows in (with_result(answers), answers.filter(is_cancelled(answers))))
    cancellation = cancellation_of(workspace, round_id)
    without_result = len(plan) - len(received)
    joined = plan.join(received.append_column("received", pa.repeat(1, len(received))), keys=UNIT[1:])
    strata = joined.group_by("stratum").aggregate([("sku_id", "count"), ("received", "count")]).sort_by("stratum")
    return RoundStatus(
        round_id, planned=len(plan), received=len(received),
        not_obtainable=without_result
        if cancellation
        else len(cancelled.join(received, UNIT[1:], join_type="left anti")),
        other_laboratory=pc.sum(with_result(answers)["other_laboratory"]).as_py() or 0,
        other_package=len(of_another_package(results, planned)),
        strata=strata.rename_columns(["stratum", "planned", "received"]), cancellation=cancellation,
    )  # fmt: skip


def _units(answers: pa.Table) -> pa.Table:
    return answers.select(UNIT[1:]).group_by(UNIT[1:]).aggregate([])


def round_text(status: RoundStatus) -> str:
    """How far a round is, as a sentence or two."""
    what = "provisional" if status.provisional else "final"
    text = f"Round {status.round_id}: {status.received:,} of {status.planned:,} results are in; its figures are {what}."
    if status.cancellation:
        text += f" It was cancelled on {status.cancellation.day} ({status.cancellation.reason})."
    if status.not_obtainable:
        text += f" Of {status.not_obtainable:,} tests no result can be had."
    if status.other_laboratory:
        text += f" {status.other_laboratory:,} results are from another laboratory than planned, and count."
    if status.other_package:
        text += f" {status.other_package:,} are of another package than planned, and answer no planned test."
    return text
