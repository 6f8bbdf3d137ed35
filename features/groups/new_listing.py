"""What a listing that the catalogue does not hold says of itself, as the pipeline would read it from the tables."""

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from features.definition import Entity
from features.fitted_tables import FittedTables

MILLION = 1_000_000


@dataclass(frozen=True)
class NewListing:
    """A listing in the contract's words; None where it says nothing."""

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

    @cached_property
    def title_key(self) -> str | None:
        """The title in lower case, everything but letters and digits as single spaces; None where nothing is left."""
        lower = "".join(_lower(letter) for letter in self.title or "")
        kept = "".join(letter if unicodedata.category(letter)[0] in "LN" else " " for letter in lower)
        return " ".join(kept.split()) or None

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


class ListingReader:
    """Reads listings by what training learned of categories and words."""

    def __init__(self, reference: FittedTables) -> None:
        self._prices = {(row["category"], row["market"]): (row["log_price_mean"], row["log_price_sd"])
                        for row in reference["categories"].to_pylist()}  # fmt: skip
        words = reference["title_words"].to_pydict()
        self._weights = dict(zip(words["word"], words["weight"], strict=True))

    def features(self, listing: NewListing, as_of: date) -> dict[str, float]:
        """The features that the listing alone determines, by name; NaN where it says nothing."""
        price = math.log(listing.price_eur) if listing.price_eur and listing.price_eur > 0 else math.nan
        listed_on = listing.listed_on or as_of
        return {
            "sku_log_price": price,
            "sku_relative_price": self._relative(price, listing),
            "sku_age_grade_months": _number(listing.age_grade_months),
            "sku_button_battery": _is(listing.battery, "button"),
            "sku_li_ion_battery": _is(listing.battery, "li_ion"),
            "sku_mains_powered": _number(listing.mains_powered),
            "sku_radio": _number(listing.radio),
            "sku_skin_contact": _number(listing.skin_contact),
            "sku_food_contact": _number(listing.food_contact),
            "sku_responsible_person": _number(listing.responsible_person),
            "sku_brand_named": float(bool(listing.brand and listing.brand.strip(" "))),
            "sku_listing_age_days": float((as_of - listed_on).days),
            **self._title(listing.title_key),
        }

    def _relative(self, price: float, listing: NewListing) -> float:
        mean, spread = self._prices.get((listing.category, listing.market), (None, None))
        return (price - mean) / spread if mean is not None and spread else math.nan

    def _title(self, key: str | None) -> dict[str, float]:
        if key is None:
            return {"title_length": math.nan, "title_signal": math.nan}
        words = set(key.split(" "))
        # Whole millionths, as the pipeline adds them, so that the order of the words cannot matter.
        learned = [round(self._weights[word] * MILLION) for word in words if word in self._weights]
        signal = sum(learned) / MILLION / math.sqrt(len(words)) if learned else math.nan
        return {"title_length": float(len(words)), "title_signal": signal}


def _lower(letter: str) -> str:
    """One letter for one letter, as databases do it."""
    lower = letter.lower()
    return lower if len(lower) == 1 else lower[0]


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _is(value: str | None, wanted: str) -> float:
    return math.nan if value is None else float(value == wanted)
