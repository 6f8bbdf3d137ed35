"""Forms of the columns of a file that writes days or numbers its own way: told by its values, or not read."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow.compute as pc

from data.contract_schema import Table
from data.errors import UserError, join_names
from data.reading.values import CLOCK, SHORT_DAY, ColumnForm, bare, full_match
from data.text_values import BLANKS

SAMPLE_ROWS = 1_000
DAY_FIRST, MONTH_FIRST = "%d{0}%m{0}%Y", "%m{0}%d{0}%Y"
WORDS = {DAY_FIRST: "day, month, year", MONTH_FIRST: "month, day, year"}
COMMA_DECIMAL = r"[+-]?(?:\d+,(?:\d{1,2}|\d{4,})|\d{1,3}(?:\.\d{3})+,\d+)"
POINT_DECIMAL = r"[+-]?(?:\d+\.(?:\d{1,2}|\d{4,})|\d{1,3}(?:,\d{3})+\.\d+)"
COMMA_THOUSANDS = r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?"
POINT_THOUSANDS = r"[+-]?\d{1,3}\.\d{3}"


@dataclass(frozen=True)
class ColumnForms:
    """The forms of a file's columns, by their names, and the sentences that say what was guessed."""

    forms: Mapping[str, ColumnForm]
    notes: tuple[str, ...] = ()


def find_forms(rows: ir.Table, table: Table, name: str, known: Mapping[str, ColumnForm]) -> ColumnForms:
    """The forms of the text columns of `rows` that hold days or numbers, beside the `known` ones.

    Days of the form 13/02/2025 are read where they are most of a column's and some value tells day and month apart;
    with points they are read day first. A comma is a decimal mark where some number of the file can mean nothing
    else. Raises UserError where days could be read either way.
    """
    open_columns = [column for column in table.columns if column.name in rows.columns and column.name not in known]
    texts = [column for column in open_columns if rows[column.name].type().is_string()]
    days = [column.name for column in texts if column.kind == "day"]
    numbers = [column.name for column in texts if column.kind in ("number", "integer")]
    if not days and not numbers:
        return ColumnForms(known)
    head = rows.select(*days, *numbers).limit(SAMPLE_ROWS).to_pyarrow()
    stated = {column: pc.drop_null(head[column]).to_pylist() for column in head.column_names}
    sample = {column: [text.strip(BLANKS) for text in texts] for column, texts in stated.items()}
    day_forms = _day_forms(rows, {column: sample[column] for column in days}, name)
    commas = [column for column in numbers if any("," in text for text in sample[column])]
    number_forms = _number_forms(rows, numbers, name) if commas else ColumnForms({})
    return ColumnForms({**day_forms.forms, **number_forms.forms, **known}, day_forms.notes + number_forms.notes)


def _day_forms(rows: ir.Table, sample: Mapping[str, Sequence[str]], name: str) -> ColumnForms:
    by_mark: dict[str, list[str]] = {}
    forms: dict[str, ColumnForm] = {}
    for column, texts in sample.items():
        short = [text for text in texts if re.fullmatch(f"({SHORT_DAY})({CLOCK})?", text, re.A)]
        if 2 * len(short) <= sum(bool(text) for text in texts):
            continue
        mark = next(letter for letter in short[0] if not letter.isdigit())
        if short[0][:4].isdecimal():
            forms[column] = ColumnForm(day_format=f"%Y{mark}%m{mark}%d")
        else:
            by_mark.setdefault(mark, []).append(column)
    notes = [f"{name}: {join_names(list(forms))} read as year, month, day"] if forms else []
    for mark, columns in by_mark.items():
        order, example = _day_order(rows, columns, mark, name)
        forms |= dict.fromkeys(columns, ColumnForm(day_format=order.format(mark)))
        notes.append(f"{name}: {join_names(columns)} read as {WORDS[order]} ({order.format(mark)}), as in {example}")
    return ColumnForms(forms, tuple(notes))


def _day_order(rows: ir.Table, columns: Sequence[str], mark: str, name: str) -> tuple[str, str]:
    """Whether the days of these columns are written day or month first, and a value that tells."""
    values = rows.select(day=ibis.array([bare(rows[column]) for column in columns]).unnest())
    form = rf"^(\d{{1,2}})\{mark}(\d{{1,2}})\{mark}\d{{4}}"
    first, second = (values.day.re_extract(form, n).try_cast("int64") for n in (1, 2))
    proof = values.aggregate(
        day_first=values.day.min(where=(first > 12) & (second <= 12)),
        month_first=values.day.min(where=(second > 12) & (first <= 12)), any=values.day.min(where=first.notnull()),
    ).to_pyarrow().to_pylist()[0]  # fmt: skip
    if proof["day_first"] and not proof["month_first"]:
        return DAY_FIRST, proof["day_first"]
    if proof["month_first"] and not proof["day_first"]:
        return MONTH_FIRST, proof["month_first"]
    if mark == "." and not proof["month_first"]:
        return DAY_FIRST, proof["any"]
    seen = [value for value in (proof["day_first"], proof["month_first"]) if value] or [proof["any"]]
    raise UserError(
        f"{name}: {join_names(columns)} {'hold' if len(columns) > 1 else 'holds'} days such as {join_names(seen)}, and "
        f"no value tells day and month apart. Write them as YYYY-MM-DD, or say in sources.toml which they are: "
        f'format = "{DAY_FIRST.format(mark)}" or format = "{MONTH_FIRST.format(mark)}".'
    )


def _number_forms(rows: ir.Table, columns: Sequence[str], name: str) -> ColumnForms:
    values = {column: bare(rows[column]) for column in columns}
    patterns = {"comma": COMMA_DECIMAL, "point": POINT_DECIMAL, "commas": COMMA_THOUSANDS, "points": POINT_THOUSANDS}
    examples = rows.aggregate([
        value.min(where=full_match(value, pattern)).name(f"{kind} {column}")
        for column, value in values.items() for kind, pattern in patterns.items()
    ]).to_pyarrow().to_pylist()[0]  # fmt: skip
    seen = {
        kind: next((f"{examples[f'{kind} {column}']}" for column in columns if examples[f"{kind} {column}"]), None)
        for kind in patterns
    }
    if seen["comma"] and not seen["point"]:
        notes = [f"{name}: read with decimal commas, as in {seen['comma']}"]
        notes += [f"{name}: {seen['points']} may be a decimal or a thousand, and is not read"] if seen["points"] else []
        return ColumnForms(dict.fromkeys(columns, ColumnForm(digits="decimal comma")), tuple(notes))
    if seen["commas"] and seen["point"] and not seen["comma"]:
        note = f"{name}: read with commas between thousands, as in {seen['commas']}, and decimal points"
        return ColumnForms(dict.fromkeys(columns, ColumnForm(digits="thousands comma")), (note,))
    marks = [value for value in (seen["comma"], seen["point"], seen["commas"]) if value]
    note = f"{name}: {join_names(marks)} do not tell what a comma in a number is; numbers with a comma are not read"
    return ColumnForms({}, (note,) if marks else ())
