"""Parts of the rules: sections with paragraphs and terms; lists and names in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RuleTerm:
    """A case, and what is done."""

    term: str
    says: str


@dataclass(frozen=True)
class Section:
    """A section with its name in addresses."""

    slug: str
    title: str
    paragraphs: tuple[str, ...]
    terms: tuple[RuleTerm, ...] = ()


_SHORT = {"gtin": "GTIN", "ppe": "PPE"}


def words(name: str) -> str:
    """An identifier as words: toys_under_3 as `toys under 3`, factory_id as `factory`, gtin as `GTIN`."""
    return " ".join(_SHORT.get(each, each) for each in name.removesuffix("_id").split("_"))


def and_list(names: Iterable[str], last: str = "and") -> str:
    """Names as a list in words: `a, b and c`."""
    every = list(names)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} {last} {every[-1]}" if every else ""


def market_words(markets: Sequence[str]) -> str:
    """Markets as a list; none stands for all."""
    return ", ".join(markets) if markets else "all"


def working_days(days: int) -> str:
    """A number of working days in words: `1 working day`."""
    return f"{days} working {'day' if days == 1 else 'days'}"
