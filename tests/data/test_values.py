"""A raw value becomes the contract's kind, or nothing."""

from datetime import date

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract import Kind
from data.values import READS_AS, read_as

BACKEND = ibis.duckdb.connect()


def read(text: str, kind: Kind) -> object:
    """One text as `kind`, computed by DuckDB."""
    return BACKEND.to_pyarrow(read_as(ibis.literal(text), kind)).as_py()


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=12), st.sampled_from(sorted(READS_AS)))
def test_no_text_is_too_strange_to_be_read_as_a_value_or_as_nothing(text: str, kind: Kind) -> None:
    read(text.replace("\0", ""), kind)


@settings(max_examples=15, deadline=None)
@given(st.dates(date(1900, 1, 1)))
def test_every_iso_day_is_read_as_itself(day: date) -> None:
    assert read(day.isoformat(), "day") == day


@settings(max_examples=15, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_as_itself(number: float) -> None:
    assert read(repr(number), "number") == number


@settings(max_examples=15, deadline=None)
@given(st.integers(-(2**53), 2**53), st.sampled_from(["", ".0"]))
def test_every_whole_number_is_read_as_itself(number: int, ending: str) -> None:
    assert read(f"{number}{ending}", "integer") == number


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("3.7", "integer", None), ("1e3", "integer", 1000), ("9007199254740994", "integer", None),
        ("", "integer", None),
        ("nan", "number", None), ("inf", "number", None), ("1e999", "number", None), (" 2.5 ", "number", 2.5),
        ("2024-02-30", "day", None), ("31/12/2024", "day", None), ("infinity", "day", None),
        ("1776-07-04", "day", None),
        ("2024-01-01 12:00:00", "day", date(2024, 1, 1)), (" 2024-01-01 ", "day", date(2024, 1, 1)),
        ("TRUE", "truth", True), ("0", "truth", False), ("1.0", "truth", True), ("2", "truth", None),
        ("yes", "truth", None),
        ("   ", "text", None), (" a ", "text", " a "),
    ],
)  # fmt: skip
def test_examples(text: str, kind: Kind, value: object) -> None:
    """What would need rounding or guessing is nothing; spaces around numbers are no matter."""
    assert read(text, kind) == value
