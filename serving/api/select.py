"""`POST /select`: SKUs that would fail, or pass, with the share of them that may be wrong."""

from datetime import date, timedelta
from typing import Annotated

from pydantic import BaseModel, Field

from data.workspace import Workspace
from sampling.estimation.round_data import Domain
from sampling.selected_lists import FAILS, Goal, ListRequest, select_list, selection_policy_in_force
from serving.schemas import Question, Text

FalseShare = Annotated[
    float | None, Field(gt=0, lt=1, description="the share of the list that may be wrong; null for the policy's")
]


class SelectQuestion(Question):
    """What a list is to promise: its goal, the share that may be wrong, and a part of the catalogue."""

    goal: Goal = FAILS
    fdr: FalseShare = None
    category: Text | None = None
    market: Text | None = None


class SelectedUnit(BaseModel):
    """One SKU of the list; `p_fail` is the score of the round's day."""

    sku_id: str
    market: str
    category: str | None
    p_fail: float


class SelectAnswer(BaseModel):
    """A list, surest first, and its promise in a sentence.

    It rests on `tests` full tests of the round, of which `wrong` went against the goal. It was chosen among
    `candidates`; the `drawn` SKUs of the round are not among them, nor those it could not draw for a full test
    (`left_out`). The promise is about the whole list, on average over draws: tests like these give a list with
    `probability`, and a draw without one counts as none wrong.
    """

    promise: str
    goal: str
    false_share: float
    units: list[SelectedUnit]
    round_id: str
    as_of: date
    tests: int
    wrong: int
    candidates: int
    drawn: int
    left_out: int
    probability: float
    model_version: str | None
    feature_version: str | None
    policy_version: str


def answer_selection(workspace: Workspace, question: SelectQuestion, today: date) -> SelectAnswer:
    """The longest list that keeps the promise. UserError where the round's tests carry none."""
    policy = selection_policy_in_force(today)
    domain = Domain(question.category, question.market)
    request = ListRequest(question.goal, question.fdr or policy.false_share, domain)
    selected = select_list(workspace, request, today + timedelta(days=1), policy)
    fields = {**vars(selected), "units": selected.units.to_pylist(), "promise": selected.promise}
    return SelectAnswer.model_validate(fields)
