"""The plan page of schedulers: what a budget buys, the rounds that were drawn, and drawing the next one."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from data.errors import UserError
from data.lake.lab_results import accepted_results
from data.workspace import Workspace
from sampling.plan import Plan
from sampling.rounds import PLAN_FILE, round_folder, round_ids, round_record
from serving.api.allocate import Planner, draw_round
from serving.console.blinding import blinded_among
from serving.console.context import AppContext
from serving.console.pages.decision import text
from serving.console.pages.overview import latest_prevalence
from serving.console.session import AnyHouse, OwnForm, Person, SignedIn, may, signed_in
from serving.console.templating import address, csv_rows, euros, number, page, percent
from serving.online.store import OnlineStore

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

Scheduler = Annotated[Person, may("scheduler")]
BUDGETS_EUR = (5_000, 10_000, 20_000, 50_000, 100_000)
LEAST_EUR, MOST_EUR, STEP_EUR = 1_000, 200_000, 1_000
PREVIEW_SEED = 0
SHOWN = 200
VEILED = "your estimate first"
WHY = {
    "certainty": "So much is at stake for its price that every draw takes it; what it is worth weighs the predicted "
    "failure, the units sold and how grave a failure is",
    "quota": "A statutory minimum asks for tests of its category",
    "priced": "Worth its money: what a failure there would harm against the price of the test",
    "floor": "Explores: drawn to keep the estimate honest and to find what the model does not know",
    VEILED: "Your estimate comes first in these cases: score and reason show once you have given it; "
    "failures expected leave them out",
}
TELLING = ("p_fail", "expected_value", "inclusion_probability", "floor_probability", "stratum")
"""The columns of a plan that tell of a score."""

GROUPS = {"package": "Test package", "lab_id": "Laboratory", "category": "Category", "market": "Market"}


@dataclass(frozen=True)
class PackageTotals:
    """One laboratory, package, category or market of a plan: tests, euros, failures expected among them.

    `expected_failures` leaves out cases that wait for an own estimate; None where these are all.
    """

    name: str
    tests: int
    cost_eur: float
    expected_failures: float | None


@dataclass(frozen=True)
class RoundLine:
    """A round in the list: what `round.json` says, results in, failures among them."""

    record: Any
    results: int
    failures: int


@router.get("/plan")
def plan(
    request: Request, house: AnyHouse, person: SignedIn, budget_eur: Annotated[float, Query(gt=0, le=1e9)] = 20_000
) -> Response:
    """What a budget would buy. The tests shown are one draw of many; approving draws anew, so nobody picks a draw."""
    published, refused, drawn = house.desk.store(), None, None
    try:
        drawn = _preview(published, budget_eur)
    except UserError as refusal:
        refused = str(refusal)
    known: dict[str, Any] = {
        "budget_eur": budget_eur, "budgets": BUDGETS_EUR, "least": LEAST_EUR, "most": MOST_EUR, "step": STEP_EUR,
        "refused": refused, "rounds": _rounds(house.settings.workspace),
        "prevalence": latest_prevalence(house.settings.workspace),
    }  # fmt: skip
    if drawn is None:
        return page(request, "plan.html", 400, summary=None, **known)
    return page(request, "plan.html", **known, **_told(_seen(house, person, drawn.units)), summary=drawn.summary)


@router.post("/plan")
def approve(request: Request, house: AnyHouse, person: Scheduler, sent: OwnForm) -> Response:
    """Draw the round with a seed that nobody chose, keep it, and record it in the ledger."""
    try:
        budget_eur = float(text(sent, "budget_eur"))
    except ValueError as error:
        raise UserError("The budget is not a number. Give whole euros.") from error
    by = Planner(house.engine, person.name, house.now())
    summary = draw_round(house.settings.workspace, house.desk.store(), budget_eur, by)
    return RedirectResponse(address(request, f"/rounds/{summary.round_id}"), 303)


@router.get("/rounds/{round_id}")
def one_round(request: Request, house: AnyHouse, person: SignedIn, round_id: str) -> Response:
    """A round that was drawn: its tests, why each, and what came back."""
    workspace = house.settings.workspace
    record = round_record(workspace, round_id)
    return page(
        request, "round.html", summary=record, line=_line(workspace, round_id),
        **_told(_tests(house, person, round_id)),
    )  # fmt: skip


@router.get("/rounds/{round_id}/plan.csv")
def export(house: AnyHouse, person: SignedIn, round_id: str) -> Response:
    """The tests of a round as CSV, with the versions that made them."""
    units = _tests(house, person, round_id)
    named = {"content-disposition": f'attachment; filename="plan-{round_id}.csv"'}
    return StreamingResponse(csv_rows(units), media_type="text/csv; charset=utf-8", headers=named)


def _tests(house: AppContext, person: Person, round_id: str) -> pa.Table:
    """The tests of a round as the person may see them."""
    return _seen(house, person, pq.read_table(round_folder(house.settings.workspace, round_id) / PLAN_FILE))


def _seen(house: AppContext, person: Person, units: pa.Table) -> pa.Table:
    """A plan in which cases drawn for the person's own estimate come last, by name, and tell nothing of their score."""
    keys = list(zip(units["sku_id"].to_pylist(), units["market"].to_pylist(), strict=True))
    veiled = blinded_among(house, person, keys)
    if not veiled:
        return units
    hidden = np.array([key in veiled for key in keys])
    closed = units.filter(hidden).sort_by([("sku_id", "ascending"), ("market", "ascending")])
    for name in TELLING:
        closed = _filled(closed, name, None)
    return pa.concat_tables([units.filter(~hidden), _filled(closed, "reason", VEILED)])


def _filled(table: pa.Table, name: str, value: str | None) -> pa.Table:
    column = pa.repeat(pa.scalar(value, table.schema.field(name).type), len(table))
    return table.set_column(table.column_names.index(name), table.schema.field(name), column)


def _told(units: pa.Table) -> dict[str, Any]:
    """What the pages of plans say of the tests."""
    tests = units.slice(0, SHOWN).to_pylist()
    return {
        "groups": [(title, _parts(units, name)) for name, title in GROUPS.items()],
        "reasons": _parts(units, "reason"), "why": WHY, "tests": tests, "shown": SHOWN,
        "because": [_because(test) for test in tests],
    }  # fmt: skip


def _because(test: dict[str, Any]) -> str:
    """Why one test was picked, in the figures that the plan weighed."""
    if test["reason"] == VEILED:
        return "score and reason show after it."
    sold = "sales unknown" if test["exposure"] is None else f"{number(test['exposure'])} units in 90 days"
    grade = "" if test["severity"] is None else f", severity {test['severity']:.1f}"
    stake = f"{percent(test['p_fail'])} predicted, {sold}{grade}"
    if test["reason"] == "floor":
        return f"drawn by chance ({stake})."
    return f"worth {test['expected_value']:.2g} for {euros(test['cost_eur'])} ({stake})."


def _parts(units: pa.Table, by: str) -> list[PackageTotals]:
    """The parts of a plan, the dearest first."""
    summed = units.group_by(by).aggregate([("sku_id", "count"), ("cost_eur", "sum"), ("p_fail", "sum")])
    rows = summed.sort_by([("cost_eur_sum", "descending"), (by, "ascending")]).to_pylist()
    return [
        PackageTotals(row[by] or "none named", row["sku_id_count"], row["cost_eur_sum"], row["p_fail_sum"])
        for row in rows
    ]


def _rounds(workspace: Workspace) -> list[RoundLine]:
    """The newest rounds first."""
    return [_line(workspace, name) for name in reversed(round_ids(workspace)[-12:])]


def _line(workspace: Workspace, round_id: str) -> RoundLine:
    results = accepted_results(workspace)
    mine = results.filter(pc.equal(results["round_id"], round_id))
    failed = pc.sum(pc.equal(mine["result"], "fail")).as_py() or 0
    return RoundLine(round_record(workspace, round_id), len(mine), failed)


def _preview(published: OnlineStore, budget_eur: float) -> Plan:
    """One draw of a budget, always with the same seed: moving the slider changes the money and nothing else."""
    return published.plan(round(budget_eur, 2), PREVIEW_SEED)
