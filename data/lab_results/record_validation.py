"""Validation of one record of JSON by the rules of its table, a laboratory result most often, without any database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from data import rule_texts
from data.contract import TEST_ID
from data.contract_schema import Column, Table
from data.lake.lab_results import RESULTS
from data.text_values import BLANKS, has_invisible, is_placeholder, json_text, parse_value

LONGEST_TEXT = TEST_ID.longest


@dataclass(frozen=True)
class ValidatedRecord:
    """The values in the contract's columns, None where not stated, and the rules that the record breaks."""

    values: Mapping[str, Any]
    broken: tuple[str, ...]


def validate_record(record: Mapping[str, Any], today: date, table: Table = RESULTS) -> ValidatedRecord:
    """Validate a record as JSON gives it by the rules and in the words of `data.ingest.row_rules`.

    A value is read as a file would write it. References to other tables are left to whoever knows them.
    """
    broken = [f"{name!r} is no column of {table.name}" for name in record if name not in table.column_names]
    values: dict[str, Any] = {}
    for column in table.columns:
        values[column.name], complaints = _judge(column, record.get(column.name))
        broken += complaints
    if table.one_of and all(values[name] is None for name in table.one_of):
        broken.append(rule_texts.none_of(table.one_of))
    days = [column.name for column in table.columns if column.kind == "day" and not column.open_ended]
    broken += [rule_texts.in_future(name) for name in days if (values[name] or today) > today]
    happened_on, known_on = values.get("happened_on"), values.get("known_on")
    if happened_on and known_on and known_on < happened_on:
        broken.append(rule_texts.KNOWN_BEFORE)
    return ValidatedRecord(values, tuple(broken))


def _judge(column: Column, raw: Any) -> tuple[Any, list[str]]:
    """The value of a column, and the rules that it breaks by itself."""
    if isinstance(raw, list | dict):
        return None, [rule_texts.unreadable(column)]
    text = (json_text(raw) or "").strip(BLANKS)
    if not text or (column.kind == "day" and is_placeholder(text)):
        return column.default, [rule_texts.missing(column)] if column.required else []
    value = parse_value(text, column)
    if value is None:
        return None, [rule_texts.unreadable(column)]
    rules = _text_rules(column, value) if column.kind == "text" else _bound_rules(column, value)
    return value, [rule for rule, is_broken in rules.items() if is_broken]


def _text_rules(column: Column, value: str) -> dict[str, bool]:
    if column.choices:
        return {rule_texts.not_a_choice(column): value not in column.choices}
    return {
        rule_texts.too_long(column): len(value) > column.longest,
        rule_texts.invisible(column): not column.free and has_invisible(value),
    }


def _bound_rules(column: Column, value: Any) -> dict[str, bool]:
    rules = {}
    if column.minimum is not None:
        rules[rule_texts.below_minimum(column)] = value < column.minimum
    if column.above is not None:
        rules[rule_texts.not_above(column)] = value <= column.above
    if column.maximum is not None:
        rules[rule_texts.above_maximum(column)] = value > column.maximum
    return rules
