"""What buyers write: ratings, and the hazards that the words speak of."""

from typing import TYPE_CHECKING, Final

from features.feature import Entity, Feature
from features.laboratory import listed
from features.lexicon import any_term, hazard_terms
from features.measures import count, share, smoothed, total, within
from features.prepared import shared
from features.reference import Reference
from features.source import Events

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.tables import Tables

GROUP: Final = "review text"
WINDOW_DAYS = 365
NO_REVIEW = "No review of this product is known from the last year."
NOT_KEPT = "Reviews are not kept."


@shared
def read_reviews(tables: "Tables") -> "ir.Table":
    """Reviews with `hazard` (the words speak of any) and one column per hazard of the lexicon."""
    import ibis

    reviews = tables["reviews"]
    text = reviews.text.lower().fill_null("")
    # The words alone are one quick automaton, which few reviews pass. Then one search per hazard: whole words of all
    # hazards in a single pattern outgrow the automaton of RE2.
    suspect = text.re_search(any_term())
    found = reviews.select(
        "review_id", "sku_id", "market", "happened_on", "known_on", "rating", "verified",
        **{terms.hazard: suspect.ifelse(text.re_search(terms.pattern), False) for terms in hazard_terms()},
    )  # fmt: skip
    return found.mutate(hazard=ibis.or_(*(found[terms.hazard] for terms in hazard_terms())))


@shared
def reviews_of_suppliers(tables: "Tables") -> "ir.Table":
    """Reviews with the supplier of the SKU."""
    owners = listed(tables)[["sku_id", "market", "supplier_id"]]
    reviews = read_reviews(tables)[["sku_id", "market", "happened_on", "known_on", "rating", "hazard"]]
    return reviews.inner_join(owners, ["sku_id", "market"])


OF_SKU = Events("reviews of the SKU", ("reviews",), ("sku_id", "market"), read_reviews)
OF_SUPPLIER = Events("reviews of the supplier", ("reviews",), ("supplier_id",), reviews_of_suppliers)
SOURCE: dict[Entity, Events] = {"sku": OF_SKU, "supplier": OF_SUPPLIER}
WHAT: dict[Entity, str] = {"sku": "this product", "supplier": "this supplier's products"}


def _rated(seen: "ir.Table", window_days: int) -> "ir.BooleanValue":
    return seen.rating.notnull() & within(seen, window_days)


def _mean_rating(seen: "ir.Table", rated: "ir.BooleanValue") -> "ir.Value":
    return share(total(seen.rating, rated), count(rated))


def _rating_trend(seen: "ir.Table", _: Reference) -> "ir.Value":
    recent, before = _rated(seen, 90), _rated(seen, WINDOW_DAYS) & ~within(seen, 90)
    return _mean_rating(seen, recent) - _mean_rating(seen, before)


def _low_rating_rate(entity: Entity) -> Feature:
    def rate(seen: "ir.Table", reference: Reference) -> "ir.Value":
        rated = _rated(seen, WINDOW_DAYS)
        return smoothed(count(rated & (seen.rating <= 2)), count(rated), reference.prior("low_rating"))

    return Feature(
        name=f"{entity}_low_rating_rate",
        meaning=f"share of ratings of {WHAT[entity]} in the last year with 1 or 2 stars, shrunk to the usual share",
        unit="share", group=GROUP, entity=entity, direction=0,
        sentence=f"Ratings of {WHAT[entity]} in the last year point to {{value}} with 1 or 2 stars.", missing=NOT_KEPT,
        source=SOURCE[entity], value=rate,
    )  # fmt: skip


def _hazard_rate(entity: Entity, hazard: str, meaning: str) -> Feature:
    def rate(seen: "ir.Table", reference: Reference) -> "ir.Value":
        written = within(seen, WINDOW_DAYS)
        return smoothed(count(written & seen[hazard]), count(written), reference.prior("hazard_review"))

    return Feature(
        name=f"{entity}_{hazard}_review_rate",
        meaning=f"share of reviews of {WHAT[entity]} in the last year that speak of {meaning}, shrunk",
        unit="share", group=GROUP, entity=entity, direction=1,
        sentence=f"Reviews of {WHAT[entity]} in the last year point to {{value}} speaking of {meaning}.",
        missing=NOT_KEPT,
        source=SOURCE[entity], value=rate,
    )  # fmt: skip


def _hazard_reviews(window_days: int) -> Feature:
    return Feature(
        name=f"sku_hazard_reviews_{window_days}",
        meaning=f"reviews of this product in the last {window_days} days that speak of a hazard",
        unit="count", group=GROUP, entity="sku", direction=1,
        sentence=f"{{value}} review[s] of this product in the last {window_days} days [speaks|speak] of a hazard.",
        missing=NOT_KEPT,
        source=OF_SKU, value=lambda seen, _: count(within(seen, window_days) & seen.hazard),
    )  # fmt: skip


def _verified_share(seen: "ir.Table", _: Reference) -> "ir.Value":
    told = within(seen, WINDOW_DAYS) & seen.verified.notnull()
    return share(count(told & seen.verified), count(told))


def _five_star_share(seen: "ir.Table", _: Reference) -> "ir.Value":
    rated = _rated(seen, WINDOW_DAYS)
    return share(count(rated & (seen.rating == 5)), count(rated))


FEATURES: tuple[Feature, ...] = (
    Feature(
        name="sku_reviews_365",
        meaning="reviews of this product in the last year",
        unit="count", group=GROUP, entity="sku", direction=0,
        sentence="{value} review[s] of this product [was|were] written in the last year.", missing=NOT_KEPT,
        source=OF_SKU, value=lambda seen, _: count(within(seen, WINDOW_DAYS)),
    ),
    Feature(
        name="sku_rating_mean",
        meaning="mean rating of this product in the last year",
        unit="stars", group=GROUP, entity="sku", direction=0,
        sentence="Buyers rated this product {value} on average in the last year.", missing=NO_REVIEW,
        source=OF_SKU, value=lambda seen, _: _mean_rating(seen, _rated(seen, WINDOW_DAYS)),
    ),
    Feature(
        name="sku_rating_trend",
        meaning="mean rating of the last 90 days minus that of the rest of the last year",
        unit="stars", group=GROUP, entity="sku", direction=0,
        sentence="The mean rating of the last 90 days differs by {value} from that of the months before.",
        missing="There are too few ratings of this product for a trend.",
        source=OF_SKU, value=_rating_trend,
    ),
    _low_rating_rate("sku"),
    Feature(
        name="sku_five_star_share",
        meaning="share of ratings of this product in the last year with 5 stars",
        unit="share", group=GROUP, entity="sku", direction=0,
        sentence="{value} of this product's ratings in the last year have 5 stars.", missing=NO_REVIEW,
        source=OF_SKU,
        value=_five_star_share,
    ),
    Feature(
        name="sku_verified_share",
        meaning="share of reviews of this product in the last year whose purchase is verified",
        unit="share", group=GROUP, entity="sku", direction=0,
        sentence="{value} of this product's reviews in the last year come from a verified purchase.",
        missing=NO_REVIEW,
        source=OF_SKU, value=_verified_share,
    ),
    _hazard_reviews(365),
    _hazard_reviews(90),
    _hazard_reviews(30),
    Feature(
        name="sku_five_star_hazard_reviews",
        meaning="reviews of this product in the last year with 5 stars that speak of a hazard",
        unit="count", group=GROUP, entity="sku", direction=0,
        sentence="In the last year {value} review[s] of this product gave 5 stars and told of a hazard.",
        missing=NOT_KEPT,
        source=OF_SKU, value=lambda seen, _: count(within(seen, WINDOW_DAYS) & seen.hazard & (seen.rating == 5)),
    ),
    _hazard_rate("sku", "hazard", "a hazard"),
    *(_hazard_rate("sku", terms.hazard, terms.meaning) for terms in hazard_terms()),
    _low_rating_rate("supplier"),
    _hazard_rate("supplier", "hazard", "a hazard"),
)  # fmt: skip
