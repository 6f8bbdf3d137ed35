"""How the SKU's category fares in its market: lately, and as training saw it."""

from typing import TYPE_CHECKING, Final

from features.feature import Feature
from features.laboratory import TESTS_OF
from features.measures import count, smoothed, within
from features.reference import Reference
from features.source import Facts

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables

CATEGORY_GROUP: Final = "category and market"


def learned_of_category(days: "ir.Table", _: "Tables", reference: Reference) -> "ir.Table":
    """Each category and market with what training learned of it."""
    import ibis

    learned = ibis.memtable(reference["categories"]).rename(of_category="category", of_market="market")
    return days.left_join(learned, [days.category == learned.of_category, days.market == learned.of_market])


LEARNED = Facts("what training learned of the category", (), learned_of_category)


def _fail_rate(window_days: int | None) -> Feature:
    def rate(seen: "ir.Table", reference: Reference) -> "ir.Value":
        counted = seen.independent & within(seen, window_days) if window_days else seen.independent
        return smoothed(count(counted & seen.failed), count(counted), reference.prior("category_fail"))

    when = f"in the last {window_days} days" if window_days else "so far"
    return Feature(
        name=f"category_fail_rate_{window_days}" if window_days else "category_fail_rate",
        meaning=f"share of independent tests of this category in this market that failed {when}, shrunk",
        unit="share", group=CATEGORY_GROUP, entity="category", direction=1,
        sentence=f"Independent tests of this category in this market {when} point to a fail rate of {{value}}.",
        missing="No independent test of this category in this market can be looked up.",
        source=TESTS_OF["category"], value=rate,
    )  # fmt: skip


def _critical(seen: "ir.Table", reference: Reference) -> "ir.Value":
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
        sentence="Independent tests of this category in this market point to critical failures in {value} of tests.",
        missing="No independent test of this category in this market can be looked up.",
        source=TESTS_OF["category"], value=_critical,
    ),
    Feature(
        name="category_fail_rate_learned",
        meaning="fail rate of this category in this market in the training data",
        unit="share", group=CATEGORY_GROUP, entity="category", direction=1,
        sentence="In the data the model learned from, this category in this market failed in {value} of tests.",
        missing="The model has not learned from this category in this market.",
        source=LEARNED, value=lambda seen, _: seen.fail_rate,
    ),
)  # fmt: skip
