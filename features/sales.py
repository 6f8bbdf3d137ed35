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
SOLD, RETURNED, SAFETY, QUALITY, DECEPTION = range(5)
FLOW = ("sold", "returned", "safety", "quality", "deception")


@shared
def flows(tables: "Tables") -> "ir.Table":
    """Orders and returns of each SKU and market, one row per event: `units`, and `kind`, SOLD or why they came back."""
    import ibis

    orders, returns = tables["orders"], tables["returns"]
    keys = ("sku_id", "market", "happened_on", "known_on")
    reasons = ((SAFETY_REASONS, SAFETY), (QUALITY_REASONS, QUALITY), (DECEPTION_REASONS, DECEPTION))
    kind = ibis.cases(*((returns.reason.isin(few), code) for few, code in reasons), else_=RETURNED).cast("int8")
    sold = orders.select(*keys, "units", kind=ibis.literal(SOLD, "int8"))
    return sold.union(returns.select(*keys, units=returns.units.fill_null(1), kind=kind))


def sales_and_returns(tables: "Tables") -> "ir.Table":
    """Orders (`sold` units) and returns (`returned`, and by reason) of each SKU and market, one row per event."""
    moved = flows(tables)
    counted = {name: moved.kind == code for code, name in enumerate(FLOW)}
    counted["returned"] = moved.kind != SOLD
    units = {name: condition.ifelse(moved.units, 0) for name, condition in counted.items()}
    kept = [column for column in moved.columns if column not in ("units", "kind")]
    return moved.select(*kept, **units)


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
