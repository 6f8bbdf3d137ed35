"""Units sold and units sent back, day by day, for a SKU and for a supplier."""

from typing import TYPE_CHECKING

from features.laboratory import listed
from features.prepared import shared
from features.source import Events

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.tables import Tables

SAFETY_REASONS = ["safety_concern", "allergic_reaction"]
QUALITY_REASONS = ["defective", "damaged_in_transit"]
DECEPTION_REASONS = ["not_as_described", "counterfeit_suspected"]


def sales_and_returns(tables: "Tables") -> "ir.Table":
    """Orders (`sold` units) and returns (`returned`, and by reason) of each SKU and market, one row per event."""
    import ibis

    orders, returns = tables["orders"], tables["returns"]
    units = returns.units.fill_null(1)
    nothing = ibis.literal(0, "int64")
    keys = ("sku_id", "market", "happened_on", "known_on")
    sold = orders.select(*keys, sold=orders.units, returned=nothing, safety=nothing, quality=nothing, deception=nothing)
    returned = returns.select(
        *keys, sold=nothing, returned=units,
        safety=returns.reason.isin(SAFETY_REASONS).ifelse(units, 0),
        quality=returns.reason.isin(QUALITY_REASONS).ifelse(units, 0),
        deception=returns.reason.isin(DECEPTION_REASONS).ifelse(units, 0),
    )  # fmt: skip
    return sold.union(returned)


def owned_sales(tables: "Tables") -> "ir.Table":
    """The same with the supplier of each SKU."""
    owners = listed(tables)[["sku_id", "market", "supplier_id"]]
    return sales_and_returns(tables).inner_join(owners, ["sku_id", "market"])


@shared
def of_suppliers(tables: "Tables") -> "ir.Table":
    """The same per supplier, summed by day first: a supplier has many SKUs but few days.

    That pays where a supplier is asked for on many days; for one day, `owned_sales` give the same sums sooner.
    """
    flow = owned_sales(tables)
    return flow.group_by("supplier_id", "happened_on", "known_on").aggregate(
        **{units: flow[units].sum() for units in ("sold", "returned", "safety", "quality", "deception")}
    )


ORDERS_OF_SKU = Events(
    "orders of the SKU", ("orders",), ("sku_id", "market"),
    lambda tables: tables["orders"][["sku_id", "market", "happened_on", "known_on", "units"]],
)  # fmt: skip
RETURNS_OF_SKU = Events("sales and returns of the SKU", ("orders", "returns"), ("sku_id", "market"), sales_and_returns)
RETURNS_OF_SUPPLIER = Events("sales and returns of the supplier", ("orders", "returns"), ("supplier_id",), of_suppliers)
