"""Values of a column as stored, read as the kinds of the contract."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from data.contract_schema import Column, Kind
from data.text_values import (
    BLANKS,
    FIRST_DAY,
    INVISIBLE,
    ISO_MIDNIGHT,
    ISO_TIME,
    LARGEST_WHOLE,
    LAST_DAY,
    NUMBER,
    PLACEHOLDERS,
    TRUTHS,
)

HIDDEN = "[" + "".join(rf"\p{{{category}}}" for category in INVISIBLE) + "]"
HIDDEN_IN_TEXT = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{200b}\x{202a}-\x{202e}\x{2066}-\x{2069}\x{feff}]"
"""What nobody sees and no writing system needs: a text may hold line ends and joiners."""
SHORT_DAY = r"\d{1,2}[/.-]\d{1,2}[/.-]\d{4}|\d{4}[/.]\d{1,2}[/.]\d{1,2}"
CLOCK = r"[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp][Mm])?"
DIGITS = {
    "decimal comma": r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+",
    "thousands comma": r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?",
}


@dataclass(frozen=True)
class ColumnForm:
    """How a column writes its texts where it does not keep to ISO 8601 and the decimal point.

    `day_format` is one of strptime (`%d/%m/%Y`), and may be followed by a time of day; `digits` names what a comma in
    a number is.
    """

    day_format: str | None = None
    digits: Literal["decimal comma", "thousands comma"] | None = None


PLAIN = ColumnForm()
_BLANK_END = f"^[{BLANKS}]|[{BLANKS}]$"


_TEXTS = ("string", "string")
_builtin: Any = ibis.udf.scalar.builtin  # functions of DuckDB that Ibis does not offer
trim = _builtin(lambda _text, _letters: ..., name="trim", signature=(_TEXTS, "string"))
full_match = _builtin(lambda _text, _pattern: ..., name="regexp_full_match", signature=(_TEXTS, "boolean"))
try_strptime = _builtin(lambda _text, _form: ..., name="try_strptime", signature=(_TEXTS, "timestamp"))


def can_read_as(stored: dt.DataType, kind: Kind) -> bool:
    """Whether a column stored as this type can hold values of `kind` at all."""
    kinds: dict[Kind, tuple[type[dt.DataType], ...]] = {
        "text": (dt.Integer, dt.Floating, dt.Decimal, dt.Date, dt.UUID),
        "integer": (dt.Integer, dt.Floating, dt.Decimal),
        "number": (dt.Integer, dt.Floating, dt.Decimal),
        "day": (dt.Date, dt.Timestamp),
        "truth": (dt.Boolean, dt.Integer, dt.Floating, dt.Decimal),
    }
    return isinstance(stored, (dt.Null, dt.String, *kinds[kind]))


def bare(raw: ir.Value) -> ir.Value:
    """Text without the blanks around it; anything else as it is. What follows reads such values."""
    if not raw.type().is_string():
        return raw
    # Few values have blanks around them, and to look is cheaper than to trim.
    return ibis.ifelse(has_blank_end(raw), trim(raw, BLANKS), raw)


def has_blank_end(raw: ir.StringValue) -> ir.BooleanValue:
    """Whether a text begins or ends with a blank."""
    return raw.re_search(_BLANK_END)


def is_blank(raw: ir.StringValue) -> ir.BooleanValue:
    """Whether a text holds nothing but blanks."""
    return raw.re_search(f"^[{BLANKS}]*$")


def has_value(value: ir.Value, kind: Kind = "text") -> ir.BooleanValue:
    """Whether the row states a value: NULL, blank text and NaN state none, nor does a day that stands for none."""
    if kind == "day":
        return has_value(value) & ~is_placeholder(value)
    if value.type().is_string():
        return value.length().fill_null(0) > 0
    if value.type().is_floating():
        return value.notnull() & ~value.isnan()
    return value.notnull()


def is_placeholder(value: ir.Value) -> ir.BooleanValue:
    """Whether a day is one that databases and spreadsheets write for none."""
    if value.type().is_string():
        # All of them lie at the ends of the order of texts, which is quick to ask.
        is_extreme = (value < FIRST_DAY.isoformat()) | (value > LAST_DAY.isoformat())
        is_named = value[:10].isin(PLACEHOLDERS) & full_match(value, ISO_MIDNIGHT)
        return ibis.ifelse(is_extreme, is_named, ibis.literal(False))
    if value.type().is_null():
        return ibis.literal(False)
    return value.try_cast("date").cast("string").isin(PLACEHOLDERS).fill_null(False)


def parse_as(value: ir.Value, column: Column, form: ColumnForm = PLAIN) -> ir.Value:
    """The value of `bare` as the column's kind, NULL where nothing is stated or where it cannot be read."""
    readers = {"integer": _integer, "number": _number, "day": _day}
    if column.kind == "text":
        read = _text(value)
    elif column.kind == "truth":
        read = _truth(value)
    else:
        read = readers[column.kind](value, form)
    return ibis.ifelse(has_value(value, column.kind), read, ibis.null())


def _text(value: ir.Value) -> ir.Value:
    if value.type().is_floating():  # pandas keeps whole-numbered ids with gaps as floats
        return ibis.coalesce(_integer(value, PLAIN).cast("string"), value.cast("string"))
    return value.cast("string")


def _number(value: ir.Value, form: ColumnForm) -> ir.Value:
    if value.type().is_string():
        return _written(value, form, _finite)
    return _finite(value.try_cast("float64"))


def _integer(value: ir.Value, form: ColumnForm) -> ir.Value:
    whole = _written(value, form, _whole) if value.type().is_string() else _whole(value.try_cast("float64"))
    return whole.try_cast("int64")


def _finite(number: ir.FloatingValue) -> ir.Value:
    return ibis.ifelse(number.abs() <= sys.float_info.max, number, ibis.null("float64"))


def _whole(number: ir.FloatingValue) -> ir.Value:
    return ibis.ifelse((number % 1 == 0) & (number.abs() <= LARGEST_WHOLE), number, ibis.null("float64"))


def _written(text: ir.StringValue, form: ColumnForm, reader: Callable[[ir.FloatingValue], ir.Value]) -> ir.Value:
    """The number that the whole text is, by what a comma in it means."""
    plain = ibis.ifelse(full_match(text, NUMBER), reader(text.try_cast("float64")), ibis.null("float64"))
    if form.digits is None:
        return plain
    if form.digits == "decimal comma":
        point = text.replace(".", "").replace(",", ".")
        # 1.234 is a thousand here and one there: nobody can tell.
        plain = ibis.ifelse(full_match(text, r"[+-]?\d{1,3}\.\d{3}"), ibis.null("float64"), plain)
    else:
        point = text.replace(",", "")
    return ibis.ifelse(full_match(text, DIGITS[form.digits]), reader(point.try_cast("float64")), plain)


def _day(value: ir.Value, form: ColumnForm) -> ir.Value:
    if value.type().is_string():
        return _written_day(value, form)
    return _possible(value.try_cast("date"))


def _possible(day: ir.DateValue) -> ir.Value:
    return ibis.ifelse(day.between(FIRST_DAY, LAST_DAY), day, ibis.null("date"))


def _written_day(text: ir.StringValue, form: ColumnForm) -> ir.Value:
    """The day that the whole text names; a plain ISO day is asked for first, which keeps it cheap.

    DuckDB's cast stops at the first character that it cannot read: a day is one that is written as it was read.
    """
    short = text.try_cast("date")
    is_plain = (short.cast("string") == text) & short.between(FIRST_DAY, LAST_DAY)
    full = text.replace(",", ".").re_replace(r"^(.{13}:\d\d)( ?[Z+-].*)?$", r"\1:00\2")  # the cast wants seconds ...
    full = full.re_replace(r" ?(Z|[+-]\d\d(?::?\d\d)?)$", r"\1")  # ... and no blank before the offset
    moment = ibis.ifelse(full_match(text, ISO_TIME), full.try_cast(dt.Timestamp("UTC")), ibis.null())
    other = _possible(moment.cast("date"))
    if form.day_format is not None:
        before_clock = text.re_extract(f"^({SHORT_DAY}){CLOCK}$", 1).nullif("")
        named = [_possible(try_strptime(each, form.day_format).cast("date")) for each in (text, before_clock)]
        other = ibis.coalesce(other, *named)
    return ibis.ifelse(is_plain.fill_null(False), short, other)


def _truth(value: ir.Value) -> ir.Value:
    if value.type().is_boolean():
        return value
    if value.type().is_numeric():
        return value.cast("float64").cases((1.0, True), (0.0, False), else_=ibis.null("boolean"))
    return value.lower().cases(*TRUTHS.items(), else_=ibis.null("boolean"))
