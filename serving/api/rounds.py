"""Resource `/rounds`: the rounds that were drawn, how far each is, its tests, and its cancellation."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal

import pyarrow.parquet as pq
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from data.contract import CANCELLED
from data.database.connection import read_transaction
from data.database.schema import LEDGER
from data.errors import NotFoundError, UnavailableError, UserError
from data.lab_results.store import round_results
from data.lake.lab_results import with_amendments
from data.visible_text import escape_formula
from data.workspace import Workspace
from sampling.cancellations import LONGEST_REASON, Cancellation, Canceller, cancel_round
from sampling.plan_files import PLAN_FILE, round_ids
from sampling.rounds import RoundStatus, results_of, round_folder, round_record, round_status
from serving.auth.api_keys import ROLES
from serving.auth.permissions import current_principal, require_role
from serving.console.context import AppContext
from serving.console.session import ContextDep
from serving.html.csv_text import csv_text
from serving.schemas import PlanAnswer, PlannedTest, Question

MOST_ROUNDS = 100
LAST_ROW = 2**53
"""The highest cursor: the largest whole number that every JSON reader keeps exactly."""

RoundId = Annotated[str, Path(min_length=1, max_length=200, description="the id of a round in `GET /rounds`")]
RoundState = Literal["open", "final", "cancelled"]
TestState = Literal["waiting", "received", "not_obtainable"]


class RoundCancellation(BaseModel):
    """When, by whom and why a round was cancelled, and how many of its tests had no result then."""

    cancelled_at: datetime
    cancelled_by: str
    reason: str
    tests_left: int


class Round(BaseModel):
    """A round: what it was drawn for, and how far it is.

    It is `open` until 95 % of its tests are answered, then `final`, or `cancelled`: then results that came in count,
    and nobody waits for the others. Of the `planned` tests `received` have a result, of `not_obtainable` none can be
    had. `other_laboratory` of those received are of another laboratory than planned; `other_package` more are of
    another package and answer no planned test. `cancellation` is null unless it was cancelled.
    """

    round_id: str
    state: RoundState
    as_of: date
    budget_eur: float
    cost_eur: float
    planned: int
    received: int
    not_obtainable: int
    other_laboratory: int
    other_package: int
    seal: str
    cancellation: RoundCancellation | None
    policy_version: str


class RoundsAnswer(BaseModel):
    """Rounds in the order in which they were drawn; `more` says that others follow after `cursor`."""

    rounds: list[Round]
    cursor: Annotated[int, Field(ge=0, le=LAST_ROW)]
    more: bool


class RoundTest(PlannedTest):
    """A planned test with its state.

    `waiting` for a result, `received`, or `not_obtainable`: then none can be had, or its round was cancelled.
    `test_ids` are the reports that answer it.
    """

    state: TestState
    test_ids: list[str]


class RoundTestsAnswer(BaseModel):
    """The tests of a round in the order of its plan."""

    round_id: str
    tests: list[RoundTest]
    model_version: str
    feature_version: str
    policy_version: str


class CancellationQuestion(Question):
    """Why a round is cancelled."""

    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON, description="the reason, for the ledger")]


_EXAMPLE = {
    "requestBody": {"content": {"application/json": {"example": {"reason": "The laboratory is closed until May."}}}}
}
router = APIRouter(prefix="/rounds", dependencies=[Depends(require_role(*ROLES))])
canceller = APIRouter(prefix="/rounds", dependencies=[Depends(require_role("scheduler", "admin"))])


@router.get("")
def rounds(
    context: ContextDep,
    after: Annotated[int, Query(ge=0, le=LAST_ROW, description="the `cursor` of the answer before; 0 for all")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ROUNDS, description="the most rounds to answer")] = 20,
) -> RoundsAnswer:
    """The rounds that were drawn after a cursor, each with how far it is."""
    drawn = _drawn_rounds(context, after)
    chosen = drawn[:limit]
    return RoundsAnswer(
        rounds=[_round(context, round_id) for _, round_id in chosen],
        cursor=chosen[-1][0] if chosen else after,
        more=len(drawn) > limit,
    )


@router.get("/{round_id}")
def one_round(context: ContextDep, round_id: RoundId) -> Round:
    """One round, with how far it is."""
    return _round(context, round_id)


@router.get(
    "/{round_id}/tests",
    response_model=RoundTestsAnswer,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def planned_tests_of(
    context: ContextDep,
    round_id: RoundId,
    form: Annotated[Literal["json", "csv"], Query(alias="format", description="json, or csv for a table")] = "json",
) -> Response:
    """The tests of a round: what to test where by when, the probability of its draw, and whether it is answered."""
    answer = RoundTestsAnswer.model_validate({**_plan(context.settings.workspace, round_id), "round_id": round_id,
                                              "tests": _tests(context.settings.workspace, round_id)})  # fmt: skip
    if form == "json":
        return JSONResponse(answer.model_dump(mode="json"))
    name = {"content-disposition": f'attachment; filename="{round_id}.csv"'}
    return Response(_csv_text(answer.tests), media_type="text/csv; charset=utf-8", headers=name)


@canceller.post("/{round_id}/cancel", openapi_extra=_EXAMPLE)
def cancel(context: ContextDep, round_id: RoundId, question: CancellationQuestion) -> Round:
    """Cancel a round: nobody waits for its open tests any more, and their SKUs may be drawn again.

    Results that came in count, and so does one that comes all the same. The ledger holds the reason. A second time
    changes nothing and gives the first cancellation.
    """
    key, workspace = current_principal(), context.settings.workspace
    status = _status(context, round_id)
    by = Canceller(key.name, key.id, context.now())
    cancel_round(context.engine, workspace, round_id, question.reason, status.planned - status.received, by)
    return _round(context, round_id)


def stored_plan(workspace: Workspace, round_id: str) -> PlanAnswer:
    """The plan of a round as `POST /allocate` answered with it."""
    return PlanAnswer.model_validate(_plan(workspace, round_id))


def _plan(workspace: Workspace, round_id: str) -> dict[str, object]:
    units = pq.read_table(round_folder(workspace, round_id) / PLAN_FILE).to_pylist()
    versions = {name: units[0][name] if units else "" for name in ("model_version", "feature_version")}
    return {**round_record(workspace, round_id), "tests": units, **versions}


def _tests(workspace: Workspace, round_id: str) -> list[dict[str, object]]:
    """The planned tests with their states and reports."""
    ended = round_status(workspace, round_id).cancellation is not None
    received: dict[tuple[str, str], list[str]] = {}
    without: set[tuple[str, str]] = set()
    for row in results_of(workspace, round_id).to_pylist():
        key = (row["sku_id"], row["market"])
        if row["status"] == CANCELLED:
            without.add(key)
        else:
            received.setdefault(key, []).append(row["test_id"])
    tests = []
    for unit in pq.read_table(round_folder(workspace, round_id) / PLAN_FILE).to_pylist():
        key = (unit["sku_id"], unit["market"])
        state = "received" if key in received else "not_obtainable" if ended or key in without else "waiting"
        tests.append({**unit, "state": state, "test_ids": received.get(key, [])})
    return tests


def _drawn_rounds(context: AppContext, after: int) -> Sequence[tuple[int, str]]:
    """The ledger rows after a cursor that drew a round of the workspace, each with its round."""
    query = sa.select(LEDGER.c.number, LEDGER.c.subject).where(LEDGER.c.action == "plan", LEDGER.c.number > after)
    known = set(round_ids(context.settings.workspace))
    try:
        with read_transaction(context.engine) as connection:
            rows = connection.execute(query.order_by(LEDGER.c.number)).all()
    except UserError as error:
        raise UnavailableError(str(error)) from error
    return [(row.number, row.subject) for row in rows if row.subject in known]


def _status(context: AppContext, round_id: str) -> RoundStatus:
    """How far a round is by the database, which need not read what other rounds brought."""
    workspace = context.settings.workspace
    if round_id not in round_ids(workspace):
        raise NotFoundError(f"There is no round {round_id!r}. GET /rounds names them.")
    with read_transaction(context.engine) as connection:
        accepted = round_results(connection, round_id)
    return round_status(workspace, round_id, with_amendments(workspace, accepted))


def _round(context: AppContext, round_id: str) -> Round:
    status = _status(context, round_id)
    record = round_record(context.settings.workspace, round_id)
    state: RoundState = "cancelled" if status.cancellation else "open" if status.provisional else "final"
    return Round(
        round_id=round_id, state=state, as_of=record["as_of"], budget_eur=record["budget_eur"],
        cost_eur=record["cost_eur"], planned=status.planned, received=status.received,
        not_obtainable=status.not_obtainable, other_laboratory=status.other_laboratory,
        other_package=status.other_package, seal=record["seal"], cancellation=_cancellation(status.cancellation),
        policy_version=record["policy_version"],
    )  # fmt: skip


def _cancellation(given: Cancellation | None) -> RoundCancellation | None:
    if given is None:
        return None
    return RoundCancellation(
        cancelled_at=datetime.fromisoformat(given.cancelled_at), cancelled_by=given.cancelled_by, reason=given.reason,
        tests_left=given.tests_left,
    )  # fmt: skip


def _csv_text(tests: Sequence[RoundTest]) -> str:
    rows = [{**test.model_dump(mode="json"), "test_ids": " ".join(test.test_ids)} for test in tests]
    return csv_text([[*RoundTest.model_fields], *([escape_formula(each) for each in row.values()] for row in rows)])
