"""Features of the listing itself and of its category in its market.

The expressions here also run on the plain values of `features.groups.new_listing`, for listings that no table holds
yet.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from data.lake.surrogate_keys import sku_join_keys
from features.definition import EntitySource, Feature, count, left_join_missing, smoothed, within
from features.fitted_tables import FittedTables
from features.groups.lab_history import FAILED_TESTS, TESTS_OF, failed_of_tests, judging_by
from features.groups.titles import MILLION, title_signals
from features.wording import Level, yes_or_no

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables

CATEGORY_GROUP: Final = "category and market"


def fitted_of_category(days: "ir.Table", _: "Tables", reference: FittedTables) -> "ir.Table":
    """`days` with the fitted columns of their category and market."""
    import ibis

    learned = ibis.memtable(reference["categories"]).rename(of_category="category", of_market="market")
    return days.left_join(learned, [days.category == learned.of_category, days.market == learned.of_market])


CELL: Final = "this category in this market"
LEARNED = EntitySource("what training learned of the category", (), fitted_of_category)


def _fail_rate(window_days: int | None) -> Feature:
    def rate(seen: "ir.Table", reference: FittedTables) -> "ir.Value":
        counted = seen.independent & within(seen, window_days) if window_days else seen.independent
        return smoothed(count(counted & seen.failed), count(counted), reference.prior("category_fail"))

    when = f"in the last {window_days} days" if window_days else "so far"
    return Feature(
        name=f"category_fail_rate_{window_days}" if window_days else "category_fail_rate",
        meaning=f"share of independent tests of this category in this market that failed {when}, shrunk",
        unit="share", group=CATEGORY_GROUP, entity="category", direction=1,
        sentence=f"We estimate that {{value}} of independent tests of {CELL} fail{judging_by(window_days)}.",
        missing="No independent test of this category in this market can be looked up.",
        source=TESTS_OF["category"], value=rate,
        counts=failed_of_tests(
            f"{CELL} in the last {window_days} days" if window_days else CELL, "category_fail",
            "category_tests_365" if window_days == 365 else "",
        ),
        about=FAILED_TESTS,
    )  # fmt: skip


def _critical(seen: "ir.Table", reference: FittedTables) -> "ir.Value":
    critical = seen.independent & seen.failed & (seen.severity == "critical")
    return smoothed(count(critical), count(seen.independent), reference.prior("critical_fail"))


CATEGORY_FEATURES: tuple[Feature, ...] = (
    _fail_rate(None),
    _fail_rate(365),
    _fail_rate(90),
    Feature(
        name="category_tests_365",
        meaning="independent tests of this category in this market in the last year",
        unit="count", group=CATEGORY_GROUP, entity="category", direction=0,
        sentence="{value} independent test[s] of this category in this market [is|are] known from the last year.",
        missing="Tests of this category in this market cannot be looked up.",
        source=TESTS_OF["category"], value=lambda seen, _: count(seen.independent & within(seen, 365)),
    ),
    Feature(
        name="category_critical_rate",
        meaning="share of independent tests of this category in this market with a critical failure, shrunk",
        unit="share", group=CATEGORY_GROUP, entity="category", direction=1,
        sentence=f"We estimate that {{value}} of independent tests of {CELL} fail critically.",
        missing="No independent test of this category in this market can be looked up.",
        source=TESTS_OF["category"], value=_critical,
        counts=failed_of_tests(CELL, "critical_fail", did="failed critically")._replace(
            same_trials="category_fail_rate"
        ),
        about=FAILED_TESTS,
    ),
    Feature(
        name="category_fail_rate_learned",
        meaning="fail rate of this category in this market in the training data",
        unit="share", group=CATEGORY_GROUP, entity="category", direction=1,
        sentence=(
            Level(
                float("inf"), f"The model learned from tests of {CELL}, of which {{value}} failed.",
                "{value} of the tests of this category failed",
            ),
        ),
        missing="The model has not learned from this category in this market.",
        source=LEARNED, value=lambda seen, _: seen.fail_rate, about=FAILED_TESTS, is_internal=True,
    ),
)  # fmt: skip


GROUP: Final = "listing"
READ = (
    "listed_on", "brand", "price_eur", "age_grade_months", "battery", "mains_powered", "radio", "skin_contact",
    "food_contact", "responsible_person",
)  # fmt: skip


def _listing_facts(days: "ir.Table", tables: "Tables", reference: FittedTables) -> "ir.Table":
    skus = tables["skus"]
    keys = sku_join_keys(days, skus)
    listing = left_join_missing(days, skus.select(*keys, "category", *READ), keys)
    return fitted_of_category(listing, tables, reference)


LISTING = EntitySource("the listing", ("skus",), _listing_facts)
TITLE = EntitySource("the title", (), title_signals)


def _log_price(seen: "ir.Table") -> "ir.Value":
    return (seen.price_eur > 0).ifelse(seen.price_eur, None).ln()


def _relative_price(seen: "ir.Table", _: FittedTables) -> "ir.Value":
    return (_log_price(seen) - seen.log_price_mean) / (seen.log_price_sd > 0).ifelse(seen.log_price_sd, None)


def _battery(kind: str, words: "YesNo") -> Feature:
    return _yes_no(f"sku_{kind}_battery", words, lambda seen, _: (seen.battery == kind).cast("int64"))


def _has_brand(seen: "ir.Table", _: FittedTables) -> "ir.Value":
    named = (seen.brand.strip().length() > 0).fill_null(False)
    return seen.listed_on.notnull().ifelse(named.cast("int64"), None)


def _stated(column: str, words: "YesNo", direction: Literal[-1, 0, 1] = 0) -> Feature:
    return _yes_no(f"sku_{column}", words, lambda seen, _: seen[column].cast("int64"), direction)


class YesNo(NamedTuple):
    """The words of something that a listing states: `what` completes "the listing says that ..."."""

    what: str
    no: str
    yes: str
    brief_no: str
    brief_yes: str


def _yes_no(
    name: str, words: YesNo, value: "Callable[[ir.Table, FittedTables], ir.Value]", direction: Literal[-1, 0, 1] = 0
) -> Feature:
    return Feature(
        name=name, meaning=f"whether the listing says that {words.what}", unit="yes/no", group=GROUP, entity="sku",
        direction=direction,
        sentence=yes_or_no(Level(0.5, words.no, words.brief_no), Level(float("inf"), words.yes, words.brief_yes)),
        missing=f"The listing does not tell whether {words.what}.",
        source=LISTING, value=value, comparison=MOST_LISTINGS,
    )  # fmt: skip


MOST_LISTINGS: Final = "Most listings of {category} [do|do not]."


def _claims(what: str, brief: str) -> YesNo:
    """The words of something that the product is or does: "it plugs into the mains"."""
    return YesNo(
        f"it {what}", f"The listing does not say that it {what}.", f"The listing says that it {what}.",
        f"Not stated: {brief}", f"Stated: {brief}",
    )  # fmt: skip


RESPONSIBLE_PERSON = YesNo(
    "a responsible person for the market is named",
    "The listing names no responsible person for this market.",
    "The listing names a responsible person for this market.",
    "No responsible person named", "Responsible person named",
)  # fmt: skip
BRAND = YesNo("it has a brand", "The listing names no brand.", "The listing names a brand.", "No brand named",
              "Brand named")  # fmt: skip
PRICE_LEVELS = tuple(
    Level(below, f"The price is {words} the usual price of its category.", f"Price {words} the usual one")
    for below, words in (
        (-2.0, "far below"), (-1.0, "well below"), (-0.1, "somewhat below"), (0.1, "about"), (1.0, "somewhat above"),
        (2.0, "well above"), (float("inf"), "far above"),
    )
)  # fmt: skip
TITLE_LEVELS = tuple(
    Level(
        below, f"Products whose titles use words like these fail {words} usual.", f"Titles like this fail {words} usual"
    )
    for below, words in ((-0.05, "less often than"), (0.05, "about as often as"), (float("inf"), "more often than"))
)  # fmt: skip

FEATURES: tuple[Feature, ...] = (
    Feature(
        name="sku_log_price",
        meaning="natural logarithm of the price in EUR",
        unit="log EUR", group=GROUP, entity="sku", direction=0, about="price",
        sentence="The price is {value}.", missing="The price is not known.",
        source=LISTING, value=lambda seen, _: _log_price(seen),
    ),
    Feature(
        name="sku_relative_price",
        meaning="log price minus the usual log price of its category and market, in standard deviations",
        unit="standard deviations", group=GROUP, entity="sku", direction=-1, about="price",
        sentence=PRICE_LEVELS,
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
    _battery("button", _claims("holds a button battery", "button battery")),
    _battery("li_ion", _claims("holds a lithium-ion battery", "lithium-ion battery")),
    _stated("mains_powered", _claims("plugs into the mains", "plugs into the mains")),
    _stated("radio", _claims("sends radio waves", "radio")),
    _stated("skin_contact", _claims("touches skin in use", "skin contact")),
    _stated("food_contact", _claims("touches food in use", "food contact")),
    _stated("responsible_person", RESPONSIBLE_PERSON, -1),
    _yes_no("sku_brand_named", BRAND, _has_brand),
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
        sentence=TITLE_LEVELS,
        missing="The model has learned no word of this title.",
        source=TITLE, value=lambda seen, _: seen.weight / MILLION / seen.words.sqrt(), is_internal=True,
    ),
)  # fmt: skip
