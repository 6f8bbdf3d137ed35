"""Validation of one laboratory result as a JSON record, by the contract's rules, without any database."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from data.contract import Column, Kind
from data.lake.lab_results import RESULTS

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(9999, 12, 31)
LONGEST_TEXT = 200
LARGEST_WHOLE = 2**53
_READS_AS = {"integer": "a whole number", "number": "a number", "day": "a day", "truth": "true or false",
             "text": f"a text of at most {LONGEST_TEXT} characters"}  # fmt: skip


@dataclass(frozen=True)
class ValidatedRecord:
    """The values in the contract's columns, None where not stated, and the rules that the record breaks."""

    values: Mapping[str, Any]
    broken: tuple[str, ...]


def validate_record(record: Mapping[str, Any], today: date) -> ValidatedRecord:
    """Validate a record as JSON gives it: days as ISO 8601, null or blank for what is not stated.

    References to SKUs and rounds are left to whoever knows them.
    """
    broken = [f"{name!r} is no column of results" for name in record if name not in RESULTS.column_names]
    values: dict[str, Any] = {}
    for column in RESULTS.columns:
        values[column.name], complaints = _parse(column, record.get(column.name))
        broken += complaints
    happened_on, known_on = values["happened_on"], values["known_on"]
    broken += [f"{name} is in the future" for name in ("happened_on", "known_on") if (values[name] or today) > today]
    if happened_on and known_on and known_on < happened_on:
        broken.append("known_on is before happened_on")
    return ValidatedRecord(values, tuple(broken))


def _parse(column: Column, raw: Any) -> tuple[Any, list[str]]:
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return None, [f"{column.name} is missing"] if column.required else []
    value = _READERS[column.kind](raw)
    if value is None:
        return None, [f"{column.name} is not {_READS_AS[column.kind]}"]
    broken = []
    if column.choices and value not in column.choices:
        broken.append(f"{column.name} is not one of {', '.join(column.choices)}")
    if column.minimum is not None and value < column.minimum:
        broken.append(f"{column.name} is below {column.minimum:g}")
    if column.maximum is not None and value > column.maximum:
        broken.append(f"{column.name} is above {column.maximum:g}")
    return value, broken


def _text(raw: Any) -> str | None:
    sound = isinstance(raw, str) and len(raw) <= LONGEST_TEXT and raw.isprintable()
    return raw if sound else None


def _number(raw: Any) -> float | None:
    sound = isinstance(raw, int | float) and not isinstance(raw, bool) and abs(raw) <= LARGEST_WHOLE
    return float(raw) if sound and math.isfinite(raw) else None


def _integer(raw: Any) -> int | None:
    number = _number(raw)
    return int(number) if number is not None and number.is_integer() else None


def _day(raw: Any) -> date | None:
    try:
        day = date.fromisoformat(raw) if isinstance(raw, str) and len(raw) == len("2026-01-01") else None
    except ValueError:
        return None
    return day if day and FIRST_DAY <= day <= LAST_DAY else None


def _truth(raw: Any) -> bool | None:
    return raw if isinstance(raw, bool) else None


_READERS: Mapping[Kind, Callable[[Any], Any]] = {
    "text": _text, "number": _number, "integer": _integer, "day": _day, "truth": _truth,
}  # fmt: skip
