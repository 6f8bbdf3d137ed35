"""On-demand features of a listing that the catalogue does not hold: the declared expressions over plain values."""

import math
import operator
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Literal

from features.definition import Entity
from features.fitted_tables import SCHEMAS, FittedTables
from features.groups import listing_and_category as declared
from features.groups.own_listing import OwnListingReader
from features.groups.titles import MILLION

LISTED = tuple(feature for feature in declared.FEATURES if feature.source in (declared.LISTING, declared.TITLE))
ASCII_WHITESPACE = " \t\n\r\v\f"


@dataclass(frozen=True)
class NewListing:
    """A listing with the contract's columns, None where a value is not stated, and `own` ones of the marketplace."""

    market: str
    supplier_id: str
    category: str
    factory_id: str | None = None
    title: str | None = None
    brand: str | None = None
    price_eur: float | None = None
    listed_on: date | None = None
    age_grade_months: int | None = None
    battery: str | None = None
    mains_powered: bool | None = None
    radio: bool | None = None
    skin_contact: bool | None = None
    food_contact: bool | None = None
    responsible_person: bool | None = None
    own: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def title_key(self) -> str | None:
        """The title in lower case, everything but letters and digits as single spaces; None where the rest is empty.

        A letter younger than this Python's Unicode counts as none, where DuckDB may know it already.
        """
        lower = "".join(_lower(letter) for letter in self.title or "")
        spaced = "".join(letter if unicodedata.category(letter)[0] in "LN" else " " for letter in lower)
        return " ".join(spaced.split()) or None

    @property
    def keys(self) -> Mapping[Entity, tuple[str, ...]]:
        """The keys of the entities that the listing names, as `features.definition.KEYS` orders them."""
        keys: dict[Entity, tuple[str, ...]] = {"supplier": (self.supplier_id,),
                                               "category": (self.category, self.market)}  # fmt: skip
        if self.factory_id is not None:
            keys["factory"] = (self.factory_id,)
        if self.title_key is not None:
            keys["title"] = (self.title_key,)
        return keys


@dataclass(frozen=True, eq=False)
class Scalar:
    """A plain value, None = missing, with the operations of an Ibis column that features of a listing are made of.

    As in SQL, an operation on a missing value is missing.
    """

    value: Any

    def _apply(self, operation: Callable[..., Any], *others: Any) -> "Scalar":
        values = [self.value, *(other.value if isinstance(other, Scalar) else other for other in others)]
        return Scalar(None if None in values else operation(*values))

    def __eq__(self, other: object) -> "Scalar":  # type: ignore[override]
        return self._apply(operator.eq, other)

    __hash__ = None  # type: ignore[assignment]

    def __gt__(self, other: Any) -> "Scalar":
        return self._apply(operator.gt, other)

    def __sub__(self, other: Any) -> "Scalar":
        return self._apply(operator.sub, other)

    def __truediv__(self, other: Any) -> "Scalar":
        return self._apply(operator.truediv, other)

    def ln(self) -> "Scalar":
        """The natural logarithm."""
        return self._apply(math.log)

    def sqrt(self) -> "Scalar":
        """The square root."""
        return self._apply(math.sqrt)

    def strip(self) -> "Scalar":
        """The text without white space around it."""
        return self._apply(lambda text: text.strip(ASCII_WHITESPACE))

    def length(self) -> "Scalar":
        """The number of characters."""
        return self._apply(len)

    def cast(self, kind: Literal["int64", "float64"]) -> "Scalar":
        """The number as another type."""
        return self._apply({"int64": int, "float64": float}[kind])

    def delta(self, other: "Scalar", *, unit: Literal["day"]) -> "Scalar":
        """The days from `other` to this day."""
        return self._apply(lambda day, before: (day - before) / timedelta(**{f"{unit}s": 1}), other)

    def notnull(self) -> "Scalar":
        """Whether it is not missing."""
        return Scalar(self.value is not None)

    def fill_null(self, value: Any) -> "Scalar":
        """Itself, or `value` where it is missing."""
        return Scalar(value) if self.value is None else self

    def ifelse(self, fulfilled: Any, otherwise: Any) -> "Scalar":
        """One or the other; the other where it is missing."""
        chosen = fulfilled if self.value else otherwise
        return chosen if isinstance(chosen, Scalar) else Scalar(chosen)


class _Row:
    """A row with the columns that the sources of a listing's features have."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, column: str) -> Scalar:
        return Scalar(self._values[column])

    __getattr__ = __getitem__


class ListingReader:
    """On-demand features of listings: the declared expressions over its columns and the fitted tables."""

    def __init__(self, reference: FittedTables) -> None:
        self._reference, self._own = reference, OwnListingReader(reference)
        self._categories = {(row["category"], row["market"]): row for row in reference["categories"].to_pylist()}
        words = reference["title_words"].to_pydict()
        self._weights = dict(zip(words["word"], words["weight"], strict=True))

    def features(self, listing: NewListing, as_of: date) -> dict[str, float]:
        """The features that the listing alone determines, by name; NaN where unknown.

        Own ones only where their column is given. Raises UserError where such a value can not be read.
        """
        learned = self._categories.get((listing.category, listing.market), dict.fromkeys(SCHEMAS["categories"].names))
        row: Any = _Row({**learned, **vars(listing), **self._title(listing.title_key), "as_of": as_of,
                         "listed_on": listing.listed_on or as_of})  # fmt: skip
        values = {feature.name: feature.value(row, self._reference).cast("float64").value for feature in LISTED}
        listed = {name: math.nan if value is None else value for name, value in values.items()}
        return {**listed, **self._own.features({**vars(listing), **listing.own})}

    def _title(self, key: str | None) -> dict[str, int | None]:
        """The columns of `features.groups.titles.title_signals`."""
        words = set(key.split(" ")) if key else set()
        learned = [round(self._weights[word] * MILLION) for word in words if word in self._weights]
        return {"words": len(words) or None, "weight": sum(learned) if learned else None}


def _lower(letter: str) -> str:
    """One letter for one letter, as databases do it."""
    lower = letter.lower()
    return lower if len(lower) == 1 else lower[0]
