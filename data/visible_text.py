"""Text of others made safe to look at: invisible characters shown, spreadsheet formulas escaped."""

import re

_INVISIBLE = re.compile(
    r"[\u202a-\u202e\u2066-\u206f\u200e\u200f\u061c\u200b\u2060-\u2064\ufeff\u00ad\u180e]"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
    r"|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
"""Characters that are not seen but change what is: direction, zero width, control.

A joiner between two characters beyond ASCII belongs to a script or a picture and stays.
"""


def show_invisible(value: object) -> object:
    """The value; text with its invisible characters as tokens such as `[U+202E]`, markup unchanged."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return _INVISIBLE.sub(lambda match: f"[U+{ord(match[0]):04X}]", value)


_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def escape_formula(value: object) -> object:
    """The value; invisible characters of text shown, an apostrophe before what a spreadsheet takes for a formula."""
    shown = show_invisible(value)
    if isinstance(shown, str) and isinstance(value, str) and value.startswith(_STARTS_A_FORMULA):
        return f"'{shown}"
    return shown
