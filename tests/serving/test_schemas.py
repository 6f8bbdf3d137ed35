"""Every error that leaves the service has one shape and says something."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from data.errors import UnavailableError, UserError
from serving.api.errors import error_response, to_problem
from serving.api.screen import ScreenQuestion
from serving.schemas import Item, PlanQuestion, Question, ScoreQuestion, ScoreRow
from serving.score_rows import SCORE_SCHEMA

ERRORS = st.one_of(
    st.builds(HTTPException, st.integers(400, 599), st.text()),
    st.builds(UserError, st.text(min_size=1)),
    st.builds(UnavailableError, st.text(min_size=1)),
    st.builds(RuntimeError, st.text()),
)


@given(error=ERRORS)
def test_whatever_went_wrong_becomes_one_sentence(error: Exception) -> None:
    """Any exception becomes {"error": text} with some text, of its own status or 500."""
    answer = error_response(error)
    body = json.loads(bytes(answer.body))
    assert list(body) == ["error"]
    assert body["error"].strip() or isinstance(error, UserError)
    assert answer.status_code == to_problem(error).status >= 400


@given(words=st.text(min_size=12))
def test_what_nobody_foresaw_says_nothing_of_itself(words: str) -> None:
    for error in (RuntimeError(words), HTTPException(500, words)):
        assert to_problem(error) == to_problem(RuntimeError())


@given(status=st.sampled_from([404, 405, 418, 451]))
def test_the_name_of_a_status_is_no_sentence(status: int) -> None:
    """Where an HTTPException says nothing of its own, a sentence is said instead of "Not Found"."""
    assert to_problem(HTTPException(status)).sentence.endswith(".")
    assert to_problem(HTTPException(status, "There is no round of this name.")).sentence.startswith("There is no round")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"items": [{"sku_id": "K-1", "market": "DE"}], "explian": True}, "explian is no field of this question."),
        ({"items": [{"sku_id": "K-1", "market": "DE", "x": 1}]}, "items[0].x is no field of this question."),
        ({"items": [{"sku_id": "K-1"}]}, "items[0].market: Field required."),
        ({"items": [{"sku_id": "K-1", "market": "DE"}], "explain": "yes"}, "explain: Input should be a valid boolean."),
        ({"items": [{"sku_id": "K-1", "market": "DE"}], "explain": 1}, "explain: Input should be a valid boolean."),
    ],
)
def test_a_question_is_taken_as_it_is_or_refused(body: object, sentence: str) -> None:
    """No field is left unread, no value is made another; the sentence says which."""
    with pytest.raises(ValidationError) as refused:
        ScoreQuestion.model_validate_json(json.dumps(body))
    assert to_problem(refused.value).status == 400
    assert to_problem(refused.value).sentence.startswith(sentence)


@pytest.mark.parametrize(
    ("question", "field", "value"),
    [(PlanQuestion, "budget_eur", "20000"), (PlanQuestion, "seed", "5"), (PlanQuestion, "seed", 5.5),
     (PlanQuestion, "budget_eur", True), (Item, "sku_id", 7), (ScreenQuestion, "stage", 1)],
)  # fmt: skip
def test_no_value_is_made_another(question: type[Question], field: str, value: object) -> None:
    """A number in quotes stays a text, a truth is no number."""
    with pytest.raises(ValidationError) as refused:
        question.model_validate_json(json.dumps({field: value}))
    assert (field,) in {error["loc"] for error in refused.value.errors()}


def test_the_row_over_http_has_the_columns_of_the_file() -> None:
    """ScoreRow and SCORE_SCHEMA name the same fields in the same order."""
    assert list(ScoreRow.model_fields) == SCORE_SCHEMA.names
