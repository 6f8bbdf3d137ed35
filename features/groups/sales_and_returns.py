"""Features of units sold and returns by reason."""

from typing import TYPE_CHECKING, Final

from data.lake.surrogate_keys import sku_key_columns
from features.definition import Entity, EventSource, Feature, count, days_since_last, smoothed, total, within
from features.fitted_tables import FittedTables
from features.wording import CountWords

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables

SAFETY_REASONS = ["safety_concern", "allergic_reaction"]
QUALITY_REASONS = ["defective", "damaged_in_transit"]
DECEPTION_REASONS = ["not_as_described", "counterfeit_suspected"]
FLOW = ("sold", "returned", "safety", "quality", "deception")


def sales_and_returns(tables: "Tables") -> "ir.Table":
    """Orders (`sold` units) and returns (`returned`, and by reason) of each SKU and market, one row per event."""
    import ibis

    orders, returns = tables["orders"], tables["returns"]
    keys = (
        *(column for column in sku_key_columns(orders) if column in sku_key_columns(returns)),
        "happened_on",
        "known_on",
    )
    zero, units = ibis.literal(0, "int64"), returns.units.fill_null(1)
    reasons = {"safety": SAFETY_REASONS, "quality": QUALITY_REASONS, "deception": DECEPTION_REASONS}
    back = {name: returns.reason.isin(few).ifelse(units, 0) for name, few in reasons.items()}
    sold = orders.select(*keys, sold=orders.units, **dict.fromkeys(FLOW[1:], zero))
    return sold.union(returns.select(*keys, sold=zero, returned=units, **back))


ORDERS_OF_SKU = EventSource("orders of the SKU", ("orders",), ("sku_id", "market"), sales_and_returns)
RETURNS_OF_SKU = EventSource(
    "sales and returns of the SKU", ("orders", "returns"), ("sku_id", "market"), sales_and_returns
)
RETURNS_OF_SUPPLIER = EventSource(
    "sales and returns of the supplier", ("orders", "returns"), ("supplier_id",), sales_and_returns, added_by_day=FLOW
)


EXPOSURE_GROUP: Final = "exposure"
MISSING = "Units sold are not kept."


def _sold(seen: "ir.Table") -> "ir.BooleanValue":
    return seen.sold > 0


def _growth(seen: "ir.Table", _: FittedTables) -> "ir.Value":
    recent, before = within(seen, 90), within(seen, 180) & ~within(seen, 90)
    return (total(seen.sold, recent) + 1) / (total(seen.sold, before) + 1)


def _units(window_days: int) -> Feature:
    return Feature(
        name=f"sku_units_{window_days}",
        meaning=f"units of this product sold in this market in the last {window_days} days",
        unit="count", group=EXPOSURE_GROUP, entity="sku", direction=0,
        sentence=f"{{value}} unit[s] of this product [was|were] sold in this market in the last {window_days} days.",
        missing=MISSING,
        source=ORDERS_OF_SKU, value=lambda seen, _: total(seen.sold, within(seen, window_days)), about="sales",
    )  # fmt: skip


EXPOSURE_FEATURES: tuple[Feature, ...] = (
    _units(30),
    _units(90),
    _units(365),
    Feature(
        name="sku_sale_days_365",
        meaning="days of the last year on which this product was sold in this market",
        unit="days", group=EXPOSURE_GROUP, entity="sku", direction=0,
        sentence="This product was sold on {value} of the last year.", missing=MISSING,
        source=ORDERS_OF_SKU, value=lambda seen, _: count(_sold(seen) & within(seen, 365)), about="sales",
    ),
    Feature(
        name="sku_days_on_sale",
        meaning="days since this product was first sold in this market",
        unit="days", group=EXPOSURE_GROUP, entity="sku", direction=0,
        sentence="This product was first sold in this market {value} ago.",
        missing="No sale of this product in this market is known.",
        source=ORDERS_OF_SKU, value=lambda seen, _: seen.age_days.max(where=_sold(seen)),
    ),
    Feature(
        name="sku_days_since_sale",
        meaning="days since this product was last sold in this market",
        unit="days", group=EXPOSURE_GROUP, entity="sku", direction=0,
        sentence="This product was last sold in this market {value} ago.",
        missing="No sale of this product in this market is known.",
        source=ORDERS_OF_SKU, value=lambda seen, _: days_since_last(seen, _sold(seen)),
    ),
    Feature(
        name="sku_growth",
        meaning="units sold in the last 90 days over units sold in the 90 days before, one added to both",
        unit="ratio", group=EXPOSURE_GROUP, entity="sku", direction=0,
        sentence="Sales of this product in the last 90 days were {value} those of the 90 days before.",
        missing=MISSING,
        source=ORDERS_OF_SKU, value=_growth,
    ),
)  # fmt: skip


GROUP: Final = "returns"
MATURITY_DAYS = 30
SOURCE: dict[Entity, EventSource] = {"sku": RETURNS_OF_SKU, "supplier": RETURNS_OF_SUPPLIER}
WHAT: dict[Entity, str] = {"sku": "this product", "supplier": "this supplier's products"}
COLUMN = {"return": "returned", "safety_return": "safety", "quality_return": "quality", "deception_return": "deception"}
WHY = {
    "return": "for any reason",
    "safety_return": "for a safety concern or an allergic reaction",
    "quality_return": "as defective or damaged",
    "deception_return": "as not as described or counterfeit",
}
PAST = {365: "the past year", 90: "the past 90 days", 30: "the past 30 days"}
RETURNED = {
    "return": "returned", "safety_return": "returned for a safety concern",
    "quality_return": f"returned {WHY['quality_return']}", "deception_return": f"returned {WHY['deception_return']}",
}  # fmt: skip
"""What became of a unit, by the kind of return."""


def matured(seen: "ir.Table", window_days: int) -> "ir.BooleanValue":
    """Whether the day lies in the window moved back by 30 days, so that most returns of its sales have arrived."""
    return within(seen, window_days + MATURITY_DAYS) & (seen.age_days >= MATURITY_DAYS)


def _rate(entity: Entity, kind: str, window_days: int) -> Feature:
    def rate(seen: "ir.Table", reference: FittedTables) -> "ir.Value":
        returned = total(seen[COLUMN[kind]], within(seen, window_days))
        return 1000 * smoothed(returned, total(seen.sold, matured(seen, window_days)), reference.prior(kind))

    return Feature(
        name=f"{entity}_{kind}_rate_{window_days}",
        meaning=f"units of {WHAT[entity]} returned {WHY[kind]} in the last {window_days} days per 1,000 units sold "
        f"at least {MATURITY_DAYS} days ago, shrunk to the usual rate",
        unit="per 1,000 units", group=GROUP, entity=entity, direction=1 if kind == "safety_return" else 0,
        sentence=f"We estimate that {{value}} units of {WHAT[entity]} sold in {PAST[window_days]} were "
        f"{RETURNED[kind]}.",
        missing=f"Sales and returns of {WHAT[entity]} are not kept.",
        source=SOURCE[entity], value=rate,
        counts=_counts(entity, kind, window_days), sense=1, about=COLUMN[kind],
    )  # fmt: skip


def _counts(entity: Entity, kind: str, window_days: int) -> CountWords:
    sold = f"sold in {PAST[window_days]}" if entity == "sku" else f"of {WHAT[entity]} sold in {PAST[window_days]}"
    nothing = f"No unit {sold} had time to come back."
    words = CountWords(f"unit[s] {sold}", f"[was|were] {RETURNED[kind]}", nothing, kind)
    if (entity, kind, window_days) == ("sku", "safety_return", 365):
        return words._replace(hits="sku_safety_returns_365")
    if entity == "sku" and window_days == 365:
        return words._replace(same_trials="sku_safety_return_rate_365")
    return words._replace(at_most="sku_units_365") if entity == "sku" else words


def _safety_returns(window_days: int) -> Feature:
    return Feature(
        name=f"sku_safety_returns_{window_days}",
        meaning=f"units of this product returned {WHY['safety_return']} in the last {window_days} days",
        unit="count", group=GROUP, entity="sku", direction=1,
        sentence=f"{{value}} unit[s] of this product [was|were] {RETURNED['safety_return']} in {PAST[window_days]}.",
        missing="Sales and returns of this product are not kept.",
        source=RETURNS_OF_SKU, value=lambda seen, _: total(seen.safety, within(seen, window_days)),
        about=COLUMN["safety_return"],
    )  # fmt: skip


FEATURES: tuple[Feature, ...] = (
    _rate("sku", "return", 365), _rate("sku", "return", 90),
    _rate("sku", "safety_return", 365), _rate("sku", "quality_return", 365), _rate("sku", "deception_return", 365),
    _safety_returns(365), _safety_returns(90), _safety_returns(30),
    _rate("supplier", "return", 365), _rate("supplier", "safety_return", 365),
    _rate("supplier", "quality_return", 365), _rate("supplier", "deception_return", 365),
)  # fmt: skip
