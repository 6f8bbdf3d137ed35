"""Features of reviews: ratings, and mentions of hazards."""

from typing import TYPE_CHECKING, Final

from data.errors import UserError
from features.definition import Entity, EventSource, Feature, count, distinct, share, smoothed, total, within
from features.fitted_tables import FittedTables
from features.review_text.hazards import Hazard, hazards
from features.wording import CountWords, Level

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables

GROUP: Final = "review text"
REVIEWS, READ, SIGNALS = "reviews", "read_reviews", "review_signals"
WINDOW_DAYS = 365
NO_REVIEW = "No review of this product is known from the last year."
NOT_KEPT = "Reviews are not kept."


def read_reviews(tables: "Tables") -> "ir.Table":
    """Every review with `hazard` (it likely speaks of one that hurts people), `severity` and a column per hazard.

    Raises UserError where `features.review_text.incremental` has not read the reviews of these tables.
    """
    if not tables.has(READ):
        raise UserError(
            "The reviews have not been read for hazards yet. "
            "Open the lake with features.review_text.incremental.read_lake."
        )
    return tables[READ]


OF: dict[Entity, EventSource] = {
    "sku": EventSource("reviews of the SKU", (REVIEWS,), ("sku_id", "market"), read_reviews),
    "supplier": EventSource("reviews of the supplier", (REVIEWS,), ("supplier_id",), read_reviews),
    "factory": EventSource("reviews of the factory", (REVIEWS,), ("factory_id",), read_reviews),
}
WHAT: dict[Entity, str] = {
    "sku": "this product", "supplier": "this supplier's products", "factory": "products of this factory"
}  # fmt: skip


HAZARDS = "reviews that report a hazard"
RATINGS, COPIES = "ratings", "copied reviews"
"""What features are about."""
IN_WHAT: dict[Entity, str] = {
    "sku": "", "supplier": " of this supplier's products", "factory": " of products of this factory"
}  # fmt: skip
PAST = {365: "in the past year", 90: "in the past 90 days", 30: "in the past 30 days"}


def _reported(entity: Entity, window_days: int, what: str) -> CountWords:
    """The words for reviews of the window that report `what`."""
    written = f"{IN_WHAT[entity]} {PAST[window_days]}"
    return CountWords(
        f"review[s]{written}", f"[reports|report] {what}", f"No review{written} is known.", "hazard_review"
    )


def _count_distinct(seen: "ir.Table", condition: "ir.BooleanValue") -> "ir.IntegerScalar":
    """The number of reviews that fulfil `condition`, copies counted once."""
    return distinct(seen.copy_key, condition)


def _is_rated(seen: "ir.Table", window_days: int) -> "ir.BooleanValue":
    return seen.rating.notnull() & within(seen, window_days)


def _mean_rating(seen: "ir.Table", rated: "ir.BooleanValue") -> "ir.Value":
    return share(total(seen.rating, rated), count(rated))


def _rating_trend(seen: "ir.Table", _: FittedTables) -> "ir.Value":
    recent, before = _is_rated(seen, 90), _is_rated(seen, WINDOW_DAYS) & ~within(seen, 90)
    return _mean_rating(seen, recent) - _mean_rating(seen, before)


def _low_rating_rate(entity: Entity) -> Feature:
    def rate(seen: "ir.Table", reference: FittedTables) -> "ir.Value":
        rated = _is_rated(seen, WINDOW_DAYS)
        return smoothed(count(rated & (seen.rating <= 2)), count(rated), reference.prior("low_rating"))

    return Feature(
        name=f"{entity}_low_rating_rate",
        meaning=f"share of ratings of {WHAT[entity]} in the last year with 1 or 2 stars, shrunk to the usual share",
        unit="share", group=GROUP, entity=entity, direction=0,
        sentence=f"We estimate that {{value}} of ratings of {WHAT[entity]} have 1 or 2 stars.", missing=NOT_KEPT,
        source=OF[entity], value=rate, sense=1, about=RATINGS,
        counts=CountWords(
            f"rating[s]{IN_WHAT[entity]} in the past year", "[has|have] 1 or 2 stars",
            f"No rating{IN_WHAT[entity]} in the past year is known.", "low_rating",
            at_most="sku_reviews_365" if entity == "sku" else "",
        ),
    )  # fmt: skip


def _hazard_rate(entity: Entity, window_days: int) -> Feature:
    def rate(seen: "ir.Table", reference: FittedTables) -> "ir.Value":
        written = within(seen, window_days)
        return smoothed(_count_distinct(seen, written & seen.hazard), count(written), reference.prior("hazard_review"))

    when = PAST[window_days]
    return Feature(
        name=f"{entity}_hazard_review_rate_{window_days}",
        meaning=f"share of reviews of {WHAT[entity]} in the last {window_days} days that speak of a hazard, copies "
        "counted once, shrunk to the usual share",
        unit="share", group=GROUP, entity=entity, direction=1,
        missing=NOT_KEPT,
        sentence=f"We estimate that {{value}} of reviews of {WHAT[entity]} report a hazard, judging by those {when}.",
        source=OF[entity], value=rate, about=HAZARDS,
        counts=_reported(entity, window_days, "a hazard")._replace(
            hits=f"sku_hazard_reviews_{window_days}" if entity == "sku" else "",
            trials="sku_reviews_365" if entity == "sku" and window_days == WINDOW_DAYS else "",
        ),
    )  # fmt: skip


def _topic_rate(hazard: Hazard) -> Feature:
    def rate(seen: "ir.Table", reference: FittedTables) -> "ir.Value":
        written = within(seen, WINDOW_DAYS)
        return smoothed(
            _count_distinct(seen, written & seen[hazard.name]), count(written), reference.prior("hazard_review")
        )

    return Feature(
        name=f"sku_{hazard.name}_review_rate",
        meaning=f"share of reviews of this product in the last year that speak of {hazard.meaning}, copies "
        "counted once, shrunk to the usual share",
        unit="share", group=GROUP, entity="sku", direction=1 if hazard.safety else 0,
        sentence=f"We estimate that {{value}} of reviews of this product report {hazard.meaning}.",
        missing=NOT_KEPT,
        source=OF["sku"], value=rate, sense=1, about=HAZARDS if hazard.safety else hazard.name,
        counts=_reported("sku", WINDOW_DAYS, hazard.meaning)._replace(trials="sku_reviews_365"),
    )  # fmt: skip


def _hazard_reviews(window_days: int) -> Feature:
    return Feature(
        name=f"sku_hazard_reviews_{window_days}",
        meaning=f"reviews of this product in the last {window_days} days that speak of a hazard, copies counted once",
        unit="count", group=GROUP, entity="sku", direction=1,
        sentence=f"{{value}} review[s] of this product {PAST[window_days]} [reports|report] a hazard.",
        missing=NOT_KEPT, about=HAZARDS,
        source=OF["sku"], value=lambda seen, _: _count_distinct(seen, within(seen, window_days) & seen.hazard),
    )  # fmt: skip


def _hazard_growth(entity: Entity) -> Feature:
    def growth(seen: "ir.Table", reference: FittedTables) -> "ir.Value":
        month, before = within(seen, 30), within(seen, 120) & ~within(seen, 30)
        now, then = (
            smoothed(_count_distinct(seen, written & seen.hazard), count(written), reference.prior("hazard_review"))
            for written in (month, before)
        )
        return now - then

    return Feature(
        name=f"{entity}_hazard_growth",
        meaning=f"shrunk share of reviews of {WHAT[entity]} that speak of a hazard, in the last 30 days minus in the "
        "90 days before",
        unit="share points", group=GROUP, entity=entity, direction=0,
        sentence=tuple(
            Level(below, f"The share of reviews of {WHAT[entity]} that report a hazard {moved} in the past 30 days.")
            for below, moved in (
                (-0.005, "fell by {size}"), (0.005, "hardly changed"), (float("inf"), "rose by {size}")
            )
        ),
        missing=NOT_KEPT,
        source=OF[entity], value=growth, sense=1, about=HAZARDS,
    )  # fmt: skip


HARMS = (
    "warns of a hazard but reports no harm", "reports a near miss or damage", "reports a minor injury",
    "reports an injury that needed medical care", "reports a life-threatening injury",
)  # fmt: skip
"""The worst harm of a review by its grade."""


def _worst_hazard(entity: Entity) -> Feature:
    return Feature(
        name=f"{entity}_worst_hazard",
        meaning=f"worst harm that a review of {WHAT[entity]} in the last year tells of (0 feared, 1 near miss or "
        "damage, 2 minor injury, 3 medical care, 4 life-threatening)",
        unit="grade", group=GROUP, entity=entity, direction=1,
        sentence=tuple(
            Level(grade + 0.5, f"A review{IN_WHAT[entity]} {harm}.") for grade, harm in enumerate(HARMS)
        ),
        missing=f"No review of {WHAT[entity]} in the last year reports a hazard.", about=HAZARDS,
        source=OF[entity], value=lambda seen, _: seen.severity.max(where=within(seen, WINDOW_DAYS) & seen.hazard),
    )  # fmt: skip


def _verified_share(entity: Entity) -> Feature:
    def verified(seen: "ir.Table", _: FittedTables) -> "ir.Value":
        relevant = within(seen, WINDOW_DAYS) & seen.verified.notnull()
        return share(count(relevant & seen.verified), count(relevant))

    return Feature(
        name=f"{entity}_verified_share",
        meaning=f"share of reviews of {WHAT[entity]} in the last year whose purchase is verified",
        unit="share", group=GROUP, entity=entity, direction=0,
        sentence=f"{{value}} of the reviews of {WHAT[entity]} in the last year come from a verified purchase.",
        missing=NO_REVIEW if entity == "sku" else f"No review of {WHAT[entity]} is known from the last year.",
        source=OF[entity], value=verified,
    )  # fmt: skip


def _duplicate_share(entity: Entity) -> Feature:
    def copied(seen: "ir.Table", _: FittedTables) -> "ir.Value":
        written = within(seen, WINDOW_DAYS) & seen.text_key.notnull()
        return share(count(written) - distinct(seen.text_key, written), count(written))

    return Feature(
        name=f"{entity}_duplicate_share",
        meaning=f"share of reviews of {WHAT[entity]} in the last year that repeat another of them word for word",
        unit="share", group=GROUP, entity=entity, direction=0,
        sentence=f"{{value}} of the reviews of {WHAT[entity]} in the last year repeat another one word for word.",
        missing=NO_REVIEW if entity == "sku" else f"No review of {WHAT[entity]} is known from the last year.",
        source=OF[entity], value=copied, sense=1, about=COPIES, is_internal=True,
    )  # fmt: skip


def _five_star_hazards(entity: Entity) -> Feature:
    return Feature(
        name=f"{entity}_five_star_hazard_reviews",
        meaning=f"reviews of {WHAT[entity]} in the last year with 5 stars that speak of a hazard, copies counted once",
        unit="count", group=GROUP, entity=entity, direction=0,
        sentence=f"{{value}} review[s] of {WHAT[entity]} in the past year [gives|give] 5 stars but [reports|report] a "
        "hazard.",
        missing=NOT_KEPT, sense=1, about=HAZARDS, is_internal=True,
        source=OF[entity],
        value=lambda seen, _: _count_distinct(seen, within(seen, WINDOW_DAYS) & seen.hazard & (seen.rating == 5)),
    )  # fmt: skip


def _verified_hazards(seen: "ir.Table", _: FittedTables) -> "ir.Value":
    relevant = within(seen, WINDOW_DAYS) & seen.hazard & seen.verified.notnull()
    return share(count(relevant & seen.verified), count(relevant))


def _five_star_share(seen: "ir.Table", _: FittedTables) -> "ir.Value":
    rated = _is_rated(seen, WINDOW_DAYS)
    return share(count(rated & (seen.rating == 5)), count(rated))


FEATURES: tuple[Feature, ...] = (
    Feature(
        name="sku_reviews_365",
        meaning="reviews of this product in the last year",
        unit="count", group=GROUP, entity="sku", direction=0,
        sentence="{value} review[s] of this product [was|were] written in the past year.", missing=NOT_KEPT,
        source=OF["sku"], value=lambda seen, _: count(within(seen, WINDOW_DAYS)),
    ),
    Feature(
        name="sku_rating_mean",
        meaning="mean rating of this product in the last year",
        unit="stars", group=GROUP, entity="sku", direction=0,
        sentence="Buyers rated this product {value} on average in the last year.", missing=NO_REVIEW,
        source=OF["sku"], value=lambda seen, _: _mean_rating(seen, _is_rated(seen, WINDOW_DAYS)),
        sense=-1, about=RATINGS,
    ),
    Feature(
        name="sku_rating_trend",
        meaning="mean rating of the last 90 days minus that of the rest of the last year",
        unit="stars", group=GROUP, entity="sku", direction=0,
        sentence=(
            Level(-0.05, "Ratings fell by {size} in the last 90 days."),
            Level(0.05, "Ratings hardly changed in the last 90 days."),
            Level(float("inf"), "Ratings rose by {size} in the last 90 days."),
        ),
        missing="There are too few ratings of this product for a trend.",
        source=OF["sku"], value=_rating_trend, sense=-1,
    ),
    Feature(
        name="sku_five_star_share",
        meaning="share of ratings of this product in the last year with 5 stars",
        unit="share", group=GROUP, entity="sku", direction=0,
        sentence="{value} of this product's ratings in the last year have 5 stars.", missing=NO_REVIEW,
        source=OF["sku"], value=_five_star_share, sense=-1, about=RATINGS,
    ),
    Feature(
        name="sku_verified_hazard_share",
        meaning="share of reviews of this product in the last year that speak of a hazard whose purchase is verified",
        unit="share", group=GROUP, entity="sku", direction=0,
        sentence="{value} of the reviews that report a hazard of this product come from a verified purchase.",
        missing="No review of this product in the last year reports a hazard.", about=HAZARDS,
        source=OF["sku"], value=_verified_hazards,
    ),
    *(_hazard_reviews(days) for days in (365, 90, 30)),
    *(_hazard_rate(entity, days) for entity in OF for days in (365, 90, 30)),
    *(_topic_rate(hazard) for hazard in hazards().values()),
    *(make(entity) for entity in OF for make in (_hazard_growth, _worst_hazard)),
    *(make(entity) for entity in ("sku", "supplier")
      for make in (_low_rating_rate, _verified_share, _duplicate_share, _five_star_hazards)),
)  # fmt: skip
