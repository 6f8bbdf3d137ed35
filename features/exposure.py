"""How many buyers a SKU reaches, and since when."""

from typing import TYPE_CHECKING, Final

from features.feature import Feature
from features.measures import count, days_since_last, total, within
from features.reference import Reference
from features.sales import ORDERS_OF_SKU

if TYPE_CHECKING:
    import ibis.expr.types as ir

EXPOSURE_GROUP: Final = "exposure"
MISSING = "Units sold are not kept."


def _sold(seen: "ir.Table") -> "ir.BooleanValue":
    return seen.sold > 0


def _growth(seen: "ir.Table", _: Reference) -> "ir.Value":
    recent, before = within(seen, 90), within(seen, 180) & ~within(seen, 90)
    return (total(seen.sold, recent) + 1) / (total(seen.sold, before) + 1)


def _units(window_days: int) -> Feature:
    return Feature(
        name=f"sku_units_{window_days}",
        meaning=f"units of this product sold in this market in the last {window_days} days",
        unit="count", group=EXPOSURE_GROUP, entity="sku", direction=0,
        sentence=f"{{value}} unit[s] of this product [was|were] sold in this market in the last {window_days} days.",
        missing=MISSING,
        source=ORDERS_OF_SKU, value=lambda seen, _: total(seen.sold, within(seen, window_days)),
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
        source=ORDERS_OF_SKU, value=lambda seen, _: count(_sold(seen) & within(seen, 365)),
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
