"""The plan page: the tests that a budget buys, drawing a sampling round, the rounds drawn so far."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from data.contract import CANCELLED
from data.errors import UserError
from data.lake.report_versions import with_result
from data.workspace import Workspace
from models.hazard_words import hazard_phrase
from sampling.plan import Plan
from sampling.plan_files import PLAN_FILE, round_ids
from sampling.round_answers import round_answers
from sampling.rounds import results_of, round_folder, round_record, round_status
from serving.api.allocate import Planner, draw_round
from serving.console.blinding import blinded_keys
from serving.console.context import AppContext
from serving.console.pages.decision import text
from serving.console.pages.plan_budget import FIRST_EUR, budget_bounds, late_plan
from serving.console.pages.published_reports import latest_prevalence
from serving.console.session import ContextDep, CurrentPerson, Person, VerifiedForm, requires_role
from serving.console.templating import address, page
from serving.decisions.records import SkuKey
from serving.html.csv_text import csv_rows
from serving.html.filters import day, euros, number, percent
from serving.online.store import OnlineStore

router = APIRouter()

Scheduler = Annotated[Person, requires_role("scheduler")]
PREVIEW_SEED = 0
MOST_LISTED = 200
BLINDED = "your estimate first"
SELECTED = {
    "certainty": "Selected for certain",
    "quota": "Selected for a legal minimum",
    "priced": "Selected on value for money",
    "floor": "Selected at random",
    BLINDED: "Your estimate first",
}
WHY = {
    "certainty": "So much is at stake for the price that every draw selects it. The value of a test weighs the "
    "predicted failure, the units sold and how severe a failure is",
    "quota": "The law asks for a minimum of tests in its category",
    "priced": "A failure there would do much harm for the price of the test",
    "floor": "Drawn at random, so that the failure rate is estimated without bias and failures that the model misses "
    "are found",
    BLINDED: "You give your own estimate in these cases first: score and reason show once you have given it; "
    "the failures expected leave them out",
}
SCORE_COLUMNS = ("p_fail", "expected_value", "inclusion_probability", "floor_probability", "stratum")
"""The columns of a plan that reveal a score."""

GROUPS = {"package": "Test package", "lab_id": "Laboratory", "category": "Category", "market": "Market"}


@dataclass(frozen=True)
class PackageTotals:
    """Totals of one laboratory, package, category or market of a plan.

    `expected_failures` leaves out cases that wait for an own estimate; None where these are all.
    """

    name: str
    tests: int
    cost_eur: float
    expected_failures: float | None


@dataclass(frozen=True)
class RoundLine:
    """A round in the list: the content of `round.json`, results received, failures among them."""

    record: Any
    results: int
    failures: int


@dataclass(frozen=True)
class RefusedBudget:
    """A budget that no plan was made for: what was typed, and the sentence that says why."""

    typed: str
    sentence: str


@router.get("/plan")
def plan(
    request: Request,
    context: ContextDep,
    person: CurrentPerson,
    budget_eur: Annotated[str, Query(max_length=100)] = f"{FIRST_EUR}",
) -> Response:
    """Preview one draw for a budget; approving draws with another seed, so nobody can choose a draw."""
    try:
        preview = _preview(context.store, budget_bounds(context.store).read(budget_eur))
    except UserError as refusal:
        return _refused_page(request, context, RefusedBudget(budget_eur, str(refusal)))
    as_of, today = context.store.publication.as_of, context.now().date()
    return page(
        request, "plan.html", summary=preview.summary, late=late_plan(preview.units, as_of, today), refused="",
        typed=f"{preview.summary.budget_eur:.12g}", **_page_values(context),
        **_plan_values(_blind_plan(context, person, preview.units)),
    )  # fmt: skip


@router.post("/plan")
def approve(request: Request, context: ContextDep, person: Scheduler, form: VerifiedForm) -> Response:
    """Draw a round with a random seed, store it, and record it in the ledger.

    A plan whose results would have been due before today is not approved, nor one read before another round was drawn.
    """
    typed, store, known = text(form, "budget_eur"), context.store, text(form, "known_rounds")
    planner = Planner(context.engine, person.name, context.now(), int(known[:9]) if known.isdecimal() else None)
    try:
        budget_eur = budget_bounds(store).read(typed)
        late = late_plan(_preview(store, budget_eur).units, store.publication.as_of, context.now().date())
        if late:
            raise UserError(late)
        summary = draw_round(context.settings.workspace, store, budget_eur, planner)
    except UserError as refusal:
        return _refused_page(request, context, RefusedBudget(typed, str(refusal)))
    return RedirectResponse(address(request, f"/rounds/{summary.round_id}"), 303)


def _refused_page(request: Request, context: AppContext, refused: RefusedBudget) -> Response:
    """The page with what was typed and why there is no plan for it; htmx swaps in answers of status 200 only."""
    status = 200 if request.headers.get("hx-request") else 400
    return page(
        request, "plan.html", status, summary=None, refused=refused.sentence, typed=refused.typed, late="",
        **_page_values(context),
    )  # fmt: skip


def _page_values(context: AppContext) -> dict[str, Any]:
    """The values of the page that do not depend on the budget."""
    workspace = context.settings.workspace
    return {
        "bounds": budget_bounds(context.store), "rounds": _rounds(workspace),
        "known_rounds": len(round_ids(workspace)),
        "prevalence": latest_prevalence(workspace),
    }  # fmt: skip


@router.get("/rounds/{round_id}")
def one_round(request: Request, context: ContextDep, person: CurrentPerson, round_id: str) -> Response:
    """A round: its tests, the reason of each, results received."""
    workspace = context.settings.workspace
    record = round_record(workspace, round_id)
    return page(
        request, "round.html", summary=record, progress=round_status(workspace, round_id),
        line=_round_line(workspace, round_id, with_result(round_answers(workspace))),
        results=test_results(workspace, round_id), drawn_on=date.fromisoformat(record["as_of"]),
        **_plan_values(_round_tests(context, person, round_id)),
    )  # fmt: skip


@router.get("/rounds/{round_id}/plan.csv")
def export(context: ContextDep, person: CurrentPerson, round_id: str) -> Response:
    """The tests of a round as CSV, with the versions that made them."""
    units = _round_tests(context, person, round_id)
    headers = {"content-disposition": f'attachment; filename="plan-{round_id}.csv"'}
    return StreamingResponse(csv_rows(units), media_type="text/csv; charset=utf-8", headers=headers)


def _round_tests(context: AppContext, person: Person, round_id: str) -> pa.Table:
    """The tests of a round, blinded for the person."""
    return _blind_plan(context, person, pq.read_table(round_folder(context.settings.workspace, round_id) / PLAN_FILE))


def _blind_plan(context: AppContext, person: Person, units: pa.Table) -> pa.Table:
    """The plan with cases that await the person's own estimate last, by name, and without `SCORE_COLUMNS`."""
    keys = [SkuKey(*key) for key in zip(units["sku_id"].to_pylist(), units["market"].to_pylist(), strict=True)]
    blinded = blinded_keys(context, person, keys)
    if not blinded:
        return units
    hidden = np.array([key in blinded for key in keys])
    last = units.filter(hidden).sort_by([("sku_id", "ascending"), ("market", "ascending")])
    for name in SCORE_COLUMNS:
        last = _fill_column(last, name, None)
    return pa.concat_tables([units.filter(~hidden), _fill_column(last, "reason", BLINDED)])


def _fill_column(table: pa.Table, name: str, value: str | None) -> pa.Table:
    column = pa.repeat(pa.scalar(value, table.schema.field(name).type), len(table))
    return table.set_column(table.column_names.index(name), table.schema.field(name), column)


def _plan_values(units: pa.Table) -> dict[str, Any]:
    """The values of the template `parts/plan_tests.html`."""
    tests = units.slice(0, MOST_LISTED).to_pylist()
    return {
        "groups": [(title, _totals_by(units, name)) for name, title in GROUPS.items()],
        "reasons": _totals_by(units, "reason"), "why": WHY, "selected": SELECTED,
        "tests": tests, "most_listed": MOST_LISTED,
        "test_reasons": [_test_reason(test) for test in tests],
    }  # fmt: skip


def _test_reason(test: dict[str, Any]) -> str:
    """Why one test was selected, in the figures that the plan weighed."""
    selected = SELECTED[test["reason"]]
    if test["reason"] == BLINDED:
        return f"{selected}. Score and reason show after it."
    sold = "sales unknown" if test["exposure"] is None else f"{number(test['exposure'])} units sold in 90 days"
    grade = "" if test["severity"] is None else f", severity {test['severity']:.1f}"
    stake = f"{percent(test['p_fail'])} predicted, {sold}{grade}"
    if test["reason"] == "floor":
        return f"{selected} ({stake})."
    return f"{selected}: value {test['expected_value']:.2g} for {euros(test['cost_eur'])} ({stake})."


def test_results(workspace: Workspace, round_id: str) -> dict[SkuKey, str]:
    """The result of each SKU of a round that came in, as a short sentence; the newest where there are several."""
    rows = results_of(workspace, round_id).to_pylist()
    return {SkuKey(row["sku_id"], row["market"]): _result_words(row) for row in rows}


def _result_words(row: dict[str, Any]) -> str:
    if row["status"] == CANCELLED:
        return f"No result could be had, known since {day(row['known_on'])}"
    words = {"pass": "Passed", "fail": "Failed"}.get(row["result"], row["result"].capitalize())
    found = [each for each in (row["severity"], row["hazard"] and hazard_phrase(row["hazard"])) if each]
    details = f": {', '.join(found)}" if row["result"] == "fail" and found else ""
    return f"{words}{details}, known since {day(row['known_on'])}"


def _totals_by(units: pa.Table, by: str) -> list[PackageTotals]:
    """Totals of a plan by a column, the highest cost first."""
    if "finds_laboratory_failures" in units.column_names:
        failures = pc.if_else(units["finds_laboratory_failures"], units["p_fail"], 0.0)
        units = units.set_column(units.column_names.index("p_fail"), "p_fail", failures)
    summed = units.group_by(by).aggregate([("sku_id", "count"), ("cost_eur", "sum"), ("p_fail", "sum")])
    rows = summed.sort_by([("cost_eur_sum", "descending"), (by, "ascending")]).to_pylist()
    return [
        PackageTotals(row[by] or "none named", row["sku_id_count"], row["cost_eur_sum"], row["p_fail_sum"])
        for row in rows
    ]


def _rounds(workspace: Workspace) -> list[RoundLine]:
    """The newest rounds first."""
    results = with_result(round_answers(workspace))
    return [_round_line(workspace, name, results) for name in reversed(round_ids(workspace)[-12:])]


def _round_line(workspace: Workspace, round_id: str, results: pa.Table) -> RoundLine:
    of_round = results.filter(pc.equal(results["round_id"], round_id))
    failed = pc.sum(pc.equal(of_round["result"], "fail")).as_py() or 0
    return RoundLine(round_record(workspace, round_id), len(of_round), failed)


def _preview(store: OnlineStore, budget_eur: float) -> Plan:
    """One draw for a budget, always with the same seed, so that only the budget changes it."""
    return store.plan(budget_eur, PREVIEW_SEED)
