"""Codes of public test summaries: 80 random bits in Crockford's Base32 with a check symbol, and their tolerant reading.

The alphabet leaves out I, L, O and U; the check symbol is the number modulo 37 (https://www.crockford.com/base32.html),
which tells any single wrong symbol and any two neighbours that changed places.
"""

import secrets
from collections.abc import Callable
from itertools import pairwise

from data.errors import UserError

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
DIGITS, BITS = 16, 80
_CHECK_MODULUS = 37
_GROUPS = (4, 8, 12)
_VALUES = {symbol: value for value, symbol in enumerate(ALPHABET)} | {"O": 0, "I": 1, "L": 1}
_SEPARATORS = frozenset("-_ .\u2010\u2011\u2012\u2013\u2014\u00a0\u00ad\u200b")


class MistypedCodeError(UserError):
    """What was typed cannot be a code of ours, whichever were issued."""


def new_code(random_bits: Callable[[int], int] = secrets.randbits) -> str:
    """A new code, such as AB7K-3M9Q-X2D4-9TWE5.

    Numbers whose check symbol would be one of Crockford's five signs (* ~ $ = U) are drawn again: those do not belong
    into an address.
    """
    while (check := (number := random_bits(BITS)) % _CHECK_MODULUS) >= len(ALPHABET):
        pass
    digits = "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(DIGITS)))
    return group_code(digits + ALPHABET[check])


def group_code(symbols: str) -> str:
    """The symbols of a code in groups that are easily read aloud."""
    ends = (0, *_GROUPS, len(symbols))
    return "-".join(symbols[start:end] for start, end in pairwise(ends))


def read_code(text: str) -> str:
    """The code that somebody typed, in the one way it is written: lower case, O, I, L and any dashes are read too.

    Raises MistypedCodeError, with what to look at again, where it cannot be a code.
    """
    typed = [each for each in text.strip().upper() if each not in _SEPARATORS]
    strange = [each for each in typed if each not in _VALUES]
    if len(typed) != DIGITS + 1:
        raise MistypedCodeError(
            f"A code has {DIGITS + 1} letters and digits; this one has {len(typed)}. Compare it with the label."
        )
    if strange:
        raise MistypedCodeError(
            "One character is wrong: a code has digits and letters, but no U and no other signs. Compare it with the "
            "label."
        )
    *digits, check = (_VALUES[each] for each in typed)
    number = sum(digit << 5 * place for place, digit in enumerate(reversed(digits)))
    if number % _CHECK_MODULUS != check:
        raise MistypedCodeError("One character is wrong, or two changed places. Compare the code with the label.")
    return group_code("".join(ALPHABET[digit] for digit in (*digits, check)))
