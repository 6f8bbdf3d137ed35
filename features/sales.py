"""Units sold and units sent back, day by day, for a SKU and for a supplier."""

from typing import TYPE_CHECKING

from data.lake.surrogate_keys import named
from features.laboratory import listed
from features.prepared import shared
from features.source import Events

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
    keys = (*(column for column in named(orders) if column in named(returns)), "happened_on", "known_on")
    nothing, units = ibis.literal(0, "int64"), returns.units.fill_null(1)
    reasons = {"safety": SAFETY_REASONS, "quality": QUALITY_REASONS, "deception": DECEPTION_REASONS}
    back = {name: returns.reason.isin(few).ifelse(units, 0) for name, few in reasons.items()}
    sold = orders.select(*keys, sold=orders.units, **dict.fromkeys(FLOW[1:], nothing))
    return sold.union(returns.select(*keys, sold=nothing, returned=units, **back))


@shared
def of_suppliers(tables: "Tables") -> "ir.Table":
    """The same per supplier, summed by day first: a supplier has many SKUs but few days."""
    owners = listed(tables)[["sku_id", "market", "supplier_id"]]
    owned = sales_and_returns(tables).inner_join(owners, ["sku_id", "market"])
    return owned.group_by("supplier_id", "happened_on", "known_on").aggregate(
        **{units: owned[units].sum() for units in FLOW}
    )


ORDERS_OF_SKU = Events("orders of the SKU", ("orders",), ("sku_id", "market"), sales_and_returns)
RETURNS_OF_SKU = Events("sales and returns of the SKU", ("orders", "returns"), ("sku_id", "market"), sales_and_returns)
RETURNS_OF_SUPPLIER = Events("sales and returns of the supplier", ("orders", "returns"), ("supplier_id",), of_suppliers)
