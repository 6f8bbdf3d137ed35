"""How long the supplier has been here, and whether it makes what it sells."""

from typing import TYPE_CHECKING, Final

from features.feature import Feature
from features.reference import Reference
from features.source import Facts, joined

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables

SELLER_GROUP: Final = "supplier history"


def _supplier(days: "ir.Table", tables: "Tables", _: Reference) -> "ir.Table":
    # Country and size stay behind: they are no features.
    return joined(days, tables["suppliers"].select("supplier_id", "onboarded_on", "kind"), ("supplier_id",))


SUPPLIER = Facts("the supplier", ("suppliers",), _supplier)

SELLER_FEATURES: tuple[Feature, ...] = (
    Feature(
        name="supplier_age_days",
        meaning="days since the supplier joined the marketplace",
        unit="days", group=SELLER_GROUP, entity="supplier", direction=0,
        sentence="This supplier joined {value} ago.", missing="The day this supplier joined is not known.",
        source=SUPPLIER, value=lambda seen, _: seen.as_of.delta(seen.onboarded_on, unit="day"),
    ),
    Feature(
        name="supplier_is_trader",
        meaning="whether the supplier trades goods that others make",
        unit="yes/no", group=SELLER_GROUP, entity="supplier", direction=0,
        sentence="This supplier trades goods that others make: {value}.",
        missing="Whether this supplier makes its goods is not known.",
        source=SUPPLIER, value=lambda seen, _: (seen.kind == "trader").cast("int64"),
    ),
)  # fmt: skip
