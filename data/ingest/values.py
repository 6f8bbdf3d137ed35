"""Values of a column as stored, read as the kinds of the contract."""

from datetime import date

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from data.contract import Kind

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(9999, 12, 31)
LARGEST_WHOLE = 2.0**53  # beyond it a double no longer holds every whole number
READS_AS = {"integer": "a whole number", "number": "a number", "day": "a day", "truth": "true or false", "text": "text"}
TRUTHS = (("true", True), ("1", True), ("1.0", True), ("false", False), ("0", False), ("0.0", False))


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


def has_value(raw: ir.Value) -> ir.BooleanValue:
    """Whether the row states a value: NULL, blank text and NaN state none."""
    if raw.type().is_string():
        return raw.strip().length().fill_null(0) > 0
    if raw.type().is_floating():
        return raw.notnull() & ~raw.isnan()
    return raw.notnull()


def parse_as(raw: ir.Value, kind: Kind) -> ir.Value:
    """The value as `kind`, NULL where nothing is stated or where it cannot be read."""
    readers = {"text": _text, "integer": _integer, "number": _number, "day": _day, "truth": _truth}
    return ibis.ifelse(has_value(raw), readers[kind](raw), ibis.null())


def _text(raw: ir.Value) -> ir.Value:
    if raw.type().is_floating():  # pandas keeps whole-numbered ids with gaps as floats
        return ibis.coalesce(_integer(raw).cast("string"), raw.cast("string"))
    return raw.cast("string")


def _number(raw: ir.Value) -> ir.Value:
    number = _strip_spaces(raw).try_cast("float64")
    return ibis.ifelse(number.isinf() | number.isnan(), ibis.null("float64"), number)


def _integer(raw: ir.Value) -> ir.Value:
    number = _number(raw)
    whole = (number % 1 == 0) & (number.abs() <= LARGEST_WHOLE)
    return ibis.ifelse(whole, number, ibis.null("float64")).try_cast("int64")


def _day(raw: ir.Value) -> ir.Value:
    bare = _strip_spaces(raw)
    if bare.type().is_string():
        # The short form first: casting only the rest to timestamps keeps a plain ISO day cheap.
        day = ibis.coalesce(bare.try_cast("date"), bare.try_cast("timestamp").try_cast("date"))
    else:
        day = bare.try_cast("date")
    return ibis.ifelse(day.between(FIRST_DAY, LAST_DAY), day, ibis.null("date"))


def _truth(raw: ir.Value) -> ir.Value:
    if raw.type().is_boolean():
        return raw
    if raw.type().is_numeric():
        return raw.cast("float64").cases((1.0, True), (0.0, False), else_=ibis.null("boolean"))
    return _strip_spaces(raw).lower().cases(*TRUTHS, else_=ibis.null("boolean"))


def _strip_spaces(raw: ir.Value) -> ir.Value:
    return raw.strip() if raw.type().is_string() else raw
