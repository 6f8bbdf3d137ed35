"""What the listing itself says, and how old it is."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from features.category import learned_of_category
from features.feature import Feature
from features.reference import Reference
from features.source import Facts, joined
from features.titles import title_signals

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables

GROUP: Final = "listing"
READ = (
    "listed_on", "brand", "price_eur", "age_grade_months", "battery", "mains_powered", "radio", "skin_contact",
    "food_contact", "responsible_person",
)  # fmt: skip


def _listing(days: "ir.Table", tables: "Tables", reference: Reference) -> "ir.Table":
    listing = joined(days, tables["skus"].select("sku_id", "market", "category", *READ), ("sku_id", "market"))
    return learned_of_category(listing, tables, reference)


LISTING = Facts("the listing", ("skus",), _listing)
TITLE = Facts("the title", (), title_signals)


def _log_price(seen: "ir.Table") -> "ir.Value":
    return (seen.price_eur > 0).ifelse(seen.price_eur, None).ln()


def _relative_price(seen: "ir.Table", _: Reference) -> "ir.Value":
    return (_log_price(seen) - seen.log_price_mean) / (seen.log_price_sd > 0).ifelse(seen.log_price_sd, None)


def _battery(kind: str, what: str) -> Feature:
    return _yes_no(f"sku_{kind}_battery", what, lambda seen, _: (seen.battery == kind).cast("int64"))


def _brand_named(seen: "ir.Table", _: Reference) -> "ir.Value":
    named = (seen.brand.strip().length() > 0).fill_null(False)
    return seen.listed_on.notnull().ifelse(named.cast("int64"), None)


def _stated(column: str, what: str, direction: Literal[-1, 0, 1] = 0) -> Feature:
    return _yes_no(f"sku_{column}", what, lambda seen, _: seen[column].cast("int64"), direction)


def _yes_no(
    name: str, what: str, value: "Callable[[ir.Table, Reference], ir.Value]", direction: Literal[-1, 0, 1] = 0
) -> Feature:
    return Feature(
        name=name, meaning=f"whether the listing says that {what}", unit="yes/no", group=GROUP, entity="sku",
        direction=direction,
        sentence=f"The listing says that {what}: {{value}}.",
        missing=f"The listing does not tell whether {what}.",
        source=LISTING, value=value,
    )  # fmt: skip


FEATURES: tuple[Feature, ...] = (
    Feature(
        name="sku_log_price",
        meaning="natural logarithm of the price in EUR",
        unit="log EUR", group=GROUP, entity="sku", direction=0,
        sentence="The price is {value}.", missing="The price is not known.",
        source=LISTING, value=lambda seen, _: _log_price(seen),
    ),
    Feature(
        name="sku_relative_price",
        meaning="log price minus the usual log price of its category and market, in standard deviations",
        unit="standard deviations", group=GROUP, entity="sku", direction=-1,
        sentence="Against its category in this market, the price lies {value} from the usual one.",
        missing="The price cannot be compared with others of its category in this market.",
        source=LISTING, value=_relative_price,
    ),
    Feature(
        name="sku_age_grade_months",
        meaning="the youngest age the product is for, in months",
        unit="months", group=GROUP, entity="sku", direction=0,
        sentence="The product is stated to be for an age of {value} or more.",
        missing="The listing states no age grade.",
        source=LISTING, value=lambda seen, _: seen.age_grade_months,
    ),
    _battery("button", "it holds a button battery"),
    _battery("li_ion", "it holds a lithium-ion battery"),
    _stated("mains_powered", "it plugs into the mains"),
    _stated("radio", "it sends radio waves"),
    _stated("skin_contact", "it touches skin in use"),
    _stated("food_contact", "it touches food in use"),
    _stated("responsible_person", "a responsible person for the market is named", -1),
    _yes_no("sku_brand_named", "it has a brand", _brand_named),
    Feature(
        name="sku_listing_age_days",
        meaning="days since the listing went live in this market",
        unit="days", group=GROUP, entity="sku", direction=0,
        sentence="The listing went live in this market {value} ago.",
        missing="The day the listing went live is not known.",
        source=LISTING, value=lambda seen, _: seen.as_of.delta(seen.listed_on, unit="day"),
    ),
    Feature(
        name="title_length",
        meaning="different words in the title",
        unit="count", group=GROUP, entity="title", direction=0,
        sentence="The title has {value} different word[s].", missing="The listing has no title.",
        source=TITLE, value=lambda seen, _: seen.words,
    ),
    Feature(
        name="title_signal",
        meaning="learned weights of the title's different words, summed, over the root of their number",
        unit="log-odds", group=GROUP, entity="title", direction=1,
        sentence="The words of the title weigh {value} towards failing.",
        missing="The model has learned no word of this title.",
        source=TITLE, value=lambda seen, _: seen.signal,
    ),
)  # fmt: skip
