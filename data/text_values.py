"""The one grammar of values as text, for files, HTTP and folder names: days, numbers, truths and text itself."""

import json
import math
import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Any

from data.contract_schema import Column

LARGEST_WHOLE = 2.0**53  # beyond it a double no longer holds every whole number
NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
TRUTHS = {"true": True, "t": True, "yes": True, "y": True, "1": True, "1.0": True,
          "false": False, "f": False, "no": False, "n": False, "0": False, "0.0": False}  # fmt: skip
INVISIBLE = ("Cc", "Cf", "Zl", "Zp")
"""Unicode categories of control characters, line ends and characters that nobody sees."""

FIRST_DAY, LAST_DAY = date(1900, 1, 2), date(9999, 12, 30)
PLACEHOLDERS = (
    "0000-00-00", "0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "9999-12-31",
)  # fmt: skip
"""What databases and spreadsheets write for no day at all: read as not given."""
ISO_DAY = r"\d{4}-\d{2}-\d{2}"
ISO_TIME = (
    ISO_DAY + r"[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?(?: ?(?:Z|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?))?"
)
ISO_MIDNIGHT = ISO_DAY + r"(?:[T ]00:00(?::00(?:\.0+)?)?Z?)?"
BLANKS = (
    " \t\n\r\v\f\x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""White space, which is trimmed around every value but free text."""


def is_placeholder(text: str) -> bool:
    """Whether the text is a day, or midnight of one, that stands for none."""
    bare = text.strip(BLANKS)
    return bare[:10] in PLACEHOLDERS and bool(re.fullmatch(ISO_MIDNIGHT, bare, re.A))


def parse_day(text: str) -> date | None:
    """The day that the whole text names: `YYYY-MM-DD`, or an ISO 8601 timestamp, whose day is that of UTC.

    None where it names no day, or one that nothing can have happened on.
    """
    bare = text.strip(BLANKS)
    try:
        if re.fullmatch(ISO_DAY, bare, re.A):
            day = date.fromisoformat(bare)
        elif re.fullmatch(ISO_TIME, bare, re.A):
            moment = datetime.fromisoformat(_normal_form(bare))
            day = (moment if moment.tzinfo is None else moment.astimezone(UTC)).date()
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return day if FIRST_DAY <= day <= LAST_DAY else None


def _normal_form(moment: str) -> str:
    """The timestamp as Python reads it: no blank before the offset, microseconds, a point."""
    day, rest = moment[:10], moment[11:].replace(" ", "").replace(",", ".").replace("Z", "+00:00")
    time, sign, offset = re.fullmatch(r"([^+-]*)([+-]?)(.*)", rest, re.S).groups()  # type: ignore[union-attr]
    whole, _, fraction = time.partition(".")
    return f"{day}T{whole}" + (f".{fraction[:6]:0<6}" if fraction else "") + sign + offset


def parse_value(text: str, column: Column) -> Any:
    """The value of a column that the whole text writes, which has no blanks around it; None where it writes none."""
    if column.kind == "text":
        return text
    if column.kind == "day":
        return parse_day(text)
    if column.kind == "truth":
        return TRUTHS.get(text.lower())
    number = float(text) if re.fullmatch(NUMBER, text) else math.inf
    if column.kind == "number":
        return number if math.isfinite(number) else None
    return int(number) if abs(number) <= LARGEST_WHOLE and number.is_integer() else None


def json_text(value: Any) -> str | None:
    """A value of JSON as a CSV file would write it; half of a surrogate pair becomes a question mark."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode("utf-8")


def has_invisible(text: str) -> bool:
    """Whether the text holds control characters, line ends or characters that nobody sees."""
    return any(unicodedata.category(letter) in INVISIBLE for letter in text)
