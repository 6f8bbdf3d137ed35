"""Redaction of quotes: e-mail addresses and phone numbers are masked."""

import re
from typing import Final

MASK: Final = "*"
_ADDRESS = re.compile(r"[\w.+-]{1,64}\s?[@\uff20]\s?[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
# Seven digits or more, with what people put between them: spaces, dots, dashes, slashes, brackets. Years and prices
# have fewer; a date such as 2024-05-17 has eight and is spared by its own shape.
_NUMBER = re.compile(r"(?<![\w.])[+\uff0b(]?\d(?:[\s().\-\u2010-\u2015/]{0,2}\d){6,18}(?!\w)")
_DATE = re.compile(r"(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4})")


def redact(quote: str) -> str:
    """The quote with each letter and digit of an address or phone number as `*`; its length stays the same."""
    if "@" in quote or "\uff20" in quote:
        quote = _ADDRESS.sub(lambda match: MASK * len(match.group()), quote)
    return _NUMBER.sub(_mask_number, quote)


def _mask_number(match: re.Match[str]) -> str:
    number = match.group()
    return number if _DATE.fullmatch(number) else MASK * len(number)
