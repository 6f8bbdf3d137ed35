"""Every error that leaves the service has one shape and says something."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.schemas import ScoreRow, error_of
from serving.score_rows import SCORE_SCHEMA

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "detail", "msg"]), inner),
    max_leaves=8,
)


@given(status=st.integers(400, 599), body=VALUES)
def test_whatever_the_framework_says_becomes_one_sentence(status: int, body: object) -> None:
    """Any JSON becomes {"error": text} with some text."""
    error = error_of(status, body)
    assert list(error) == ["error"]
    assert error["error"].strip()
    json.dumps(error)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([{"error": "A sentence."}], "A sentence."),
        ({"error": "A sentence."}, "A sentence."),
        ("Request timed out", "Request timed out"),
        ({"error": "x", "detail": [{"loc": ["items", 3, "market"], "msg": "Field  required"}]},
         "items[3].market: Field required."),
    ],
)  # fmt: skip
def test_what_was_said_is_kept(body: object, sentence: str) -> None:
    """The framework's own words reach the caller, without its wrapping."""
    assert error_of(400, body) == {"error": sentence}


def test_the_row_over_http_has_the_columns_of_the_file() -> None:
    """ScoreRow and SCORE_SCHEMA name the same fields in the same order."""
    assert list(ScoreRow.model_fields) == SCORE_SCHEMA.names
