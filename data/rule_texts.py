"""Sentences of the rules that a record can break: the same for a row of a file and a record over HTTP."""

from collections.abc import Sequence

from data.contract_schema import Column

READS_AS = {
    "integer": "a whole number",
    "number": "a number",
    "day": "a day",
    "truth": "true or false",
    "text": "text",
}
KNOWN_BEFORE = "known_on is before happened_on"


def missing(column: Column) -> str:
    """A required value is not stated."""
    return f"{column.name} is missing"


def unreadable(column: Column) -> str:
    """The value is none of the column's kind."""
    return f"{column.name} is not {READS_AS[column.kind]}"


def too_long(column: Column) -> str:
    """The text has too many characters."""
    return f"{column.name} is longer than {column.longest:,} characters"


def invisible(column: Column) -> str:
    """The text holds what nobody sees."""
    return f"{column.name} holds control or invisible characters"


def not_a_choice(column: Column) -> str:
    """The text is none of the column's choices."""
    return f"{column.name} is not one of {', '.join(column.choices)}"


def below_minimum(column: Column) -> str:
    """The number is too small."""
    return f"{column.name} is below {column.minimum:g}"


def not_above(column: Column) -> str:
    """The number is at most the exclusive minimum."""
    return f"{column.name} is not above {column.above:g}"


def above_maximum(column: Column) -> str:
    """The number is too large."""
    return f"{column.name} is above {column.maximum:g}"


def in_future(name: str) -> str:
    """The day lies after today."""
    return f"{name} is in the future"


def none_of(names: Sequence[str]) -> str:
    """None of the columns is stated of which one must be."""
    return f"neither {' nor '.join(names)} is given"


def unknown(names: Sequence[str]) -> str:
    """What the columns refer to does not exist."""
    return f"unknown {', '.join(names)}"
