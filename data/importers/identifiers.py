"""Numbers that name a product in the free text of a register: GTINs with their check digit, model numbers."""

import re
from collections.abc import Iterator

GTIN_LENGTHS = (8, 12, 13, 14)
_DIGITS = re.compile(r"\d(?:[ -]?\d)+")
_MODEL = re.compile(r"\bmodels?\b", re.IGNORECASE)
_FILLERS = frozenset({"number", "numbers", "no", "nos", "num", "and", "or", "is", "are", "with", "the", "#", "&", ""})
_WORD = re.compile(r"[^\s,;]+")


def has_check_digit(digits: str) -> bool:
    """Whether the last digit is the check digit of a GTIN of this length (GS1 General Specifications, 7.9)."""
    weighted = (int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return len(digits) in GTIN_LENGTHS and int(digits) > 0 and sum(weighted) % 10 == 0


def gtins_in(text: str) -> str | None:
    """The GTINs in a text, separated by commas, blanks and hyphens within them removed; None where there is none.

    A number without the check digit of a GTIN, such as that of a batch, is none.
    """
    found = dict.fromkeys(gtin for group in _DIGITS.findall(text) for gtin in _gtins_of(group))
    return ", ".join(found) or None


def _gtins_of(group: str) -> Iterator[str]:
    """The group as one number, or else the numbers that blanks separate in it."""
    together = re.sub(r"[ -]", "", group)
    parts = [together] if has_check_digit(together) else [part.replace("-", "") for part in group.split(" ")]
    return (part for part in parts if has_check_digit(part))


def models_in(description: str) -> str | None:
    """The model numbers that follow the word "model" in a text, separated by commas; None where there is none."""
    found: dict[str, None] = {}
    for mention in _MODEL.finditer(description):
        for word in _WORD.findall(description[mention.end() :]):
            bare = word.strip("\"'“”‘’().:")  # noqa: RUF001 - quotation marks of the publisher
            if any(map(str.isdigit, bare)) and len(bare) > 2:
                found[bare] = None
            elif bare.casefold() not in _FILLERS:
                break
    return ", ".join(found) or None
