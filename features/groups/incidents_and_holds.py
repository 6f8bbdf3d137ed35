"""Features of incidents, holds by authorities and open corrective actions."""

from typing import TYPE_CHECKING, Final

from data.lake.surrogate_keys import sku_key_columns
from features.definition import EventSource, Feature, count, days_since_last, within

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables

GROUP: Final = "supplier history"
SERIOUS_INJURY = 2


def _incidents(tables: "Tables") -> "ir.Table":
    incidents = tables["incidents"]
    return incidents.select(*sku_key_columns(incidents), "happened_on", "known_on", "injury_severity")


def _holds_of_sku(tables: "Tables") -> "ir.Table":
    return tables["holds"].filter(lambda row: row.sku_id.notnull())[["hold_id", "sku_id", "happened_on", "known_on"]]


def _holds_of_supplier(tables: "Tables") -> "ir.Table":
    """Holds that name the supplier, and holds of its products; each hold once per supplier."""
    import ibis

    holds = tables["holds"]
    suppliers = tables["skus"].select("sku_id", owner="supplier_id").distinct()
    joined = holds.left_join(suppliers, "sku_id")
    return joined.select(
        "hold_id", "happened_on", "known_on", supplier_id=ibis.coalesce(joined.supplier_id, joined.owner)
    ).distinct()


def _remediations(tables: "Tables") -> "ir.Table":
    return tables["remediations"]


INCIDENTS_OF_SKU = EventSource("incidents of the SKU", ("incidents",), ("sku_id", "market"), _incidents)
INCIDENTS_OF_SUPPLIER = EventSource("incidents of the supplier", ("incidents",), ("supplier_id",), _incidents)
HOLDS_OF_SKU = EventSource("holds of the SKU", ("holds",), ("sku_id",), _holds_of_sku)
HOLDS_OF_SUPPLIER = EventSource("holds of the supplier", ("holds",), ("supplier_id",), _holds_of_supplier)
REMEDIATIONS = EventSource("remediations of the supplier", ("remediations",), ("supplier_id",), _remediations)


def is_verified(seen: "ir.Table") -> "ir.BooleanValue":
    """Whether the corrective action was verified before as_of; a later verification is not known yet."""
    return (seen.verified_on < seen.as_of).fill_null(False)


def _is_open(seen: "ir.Table") -> "ir.BooleanValue":
    return seen.remediation_id.notnull() & ~is_verified(seen)


FEATURES: tuple[Feature, ...] = (
    Feature(
        name="sku_incidents_365",
        meaning="incidents reported with this product in the last year",
        unit="count", group=GROUP, entity="sku", direction=1, about="incidents",
        sentence="{value} incident[s] with this product [was|were] reported in the last year.",
        missing="Incidents are not kept.",
        source=INCIDENTS_OF_SKU, value=lambda seen, _: count(within(seen, 365)),
    ),
    Feature(
        name="sku_incidents_90",
        meaning="incidents reported with this product in the last 90 days",
        unit="count", group=GROUP, entity="sku", direction=1, about="incidents",
        sentence="{value} incident[s] with this product [was|were] reported in the last 90 days.",
        missing="Incidents are not kept.",
        source=INCIDENTS_OF_SKU, value=lambda seen, _: count(within(seen, 90)),
    ),
    Feature(
        name="sku_injuries_365",
        meaning="incidents with this product in the last year that needed a doctor or worse",
        unit="count", group=GROUP, entity="sku", direction=1, about="incidents",
        sentence="{value} incident[s] with this product in the last year needed a doctor or worse.",
        missing="Incidents are not kept.",
        source=INCIDENTS_OF_SKU,
        value=lambda seen, _: count(within(seen, 365) & (seen.injury_severity >= SERIOUS_INJURY)),
    ),
    Feature(
        name="supplier_injuries_365",
        meaning="incidents with this supplier's products in the last year that needed a doctor or worse",
        unit="count", group=GROUP, entity="supplier", direction=1,
        sentence="{value} incident[s] with this supplier's products in the last year needed a doctor or worse.",
        missing="Incidents are not kept.",
        source=INCIDENTS_OF_SUPPLIER,
        value=lambda seen, _: count(within(seen, 365) & (seen.injury_severity >= SERIOUS_INJURY)),
    ),
    Feature(
        name="sku_holds_365",
        meaning="times an authority held this product in the last year, in any market",
        unit="count", group=GROUP, entity="sku", direction=1, about="holds",
        sentence="{value} hold[s] of this product by authorities in the last year [is|are] known.",
        missing="Holds by authorities are not kept.",
        source=HOLDS_OF_SKU, value=lambda seen, _: count(within(seen, 365)),
    ),
    Feature(
        name="supplier_holds_365",
        meaning="times an authority held this supplier or one of its products in the last year",
        unit="count", group=GROUP, entity="supplier", direction=1, about="holds",
        sentence="{value} hold[s] of this supplier or its products by authorities in the last year [is|are] known.",
        missing="Holds by authorities are not kept.",
        source=HOLDS_OF_SUPPLIER, value=lambda seen, _: count(within(seen, 365)),
    ),
    Feature(
        name="supplier_days_since_hold",
        meaning="days since an authority last held this supplier or one of its products",
        unit="days", group=GROUP, entity="supplier", direction=0, about="holds", sense=-1,
        sentence="Authorities last held this supplier or its products {value} ago.",
        missing="No hold of this supplier or its products is known.",
        source=HOLDS_OF_SUPPLIER, value=lambda seen, _: days_since_last(seen, seen.hold_id.notnull()),
    ),
    Feature(
        name="supplier_remediations_open",
        meaning="corrective actions this supplier has opened and nobody has verified",
        unit="count", group=GROUP, entity="supplier", direction=0, about="remediations", sense=1,
        sentence="{value} corrective action[s] of this supplier [is|are] not verified yet.",
        missing="Corrective actions are not kept.",
        source=REMEDIATIONS, value=lambda seen, _: count(_is_open(seen)),
    ),
    Feature(
        name="supplier_remediations_overdue",
        meaning="corrective actions of this supplier that are past their due day and not verified",
        unit="count", group=GROUP, entity="supplier", direction=1, about="remediations",
        sentence="{value} corrective action[s] of this supplier [is|are] overdue.",
        missing="Corrective actions are not kept.",
        source=REMEDIATIONS, value=lambda seen, _: count(_is_open(seen) & (seen.due_on < seen.as_of)),
    ),
    Feature(
        name="supplier_remediations_ineffective",
        meaning="corrective actions of this supplier that were verified and did not work",
        unit="count", group=GROUP, entity="supplier", direction=1,
        sentence="{value} corrective action[s] of this supplier did not work.",
        missing="Corrective actions are not kept.",
        source=REMEDIATIONS, value=lambda seen, _: count(is_verified(seen) & ~seen.effective),
    ),
)  # fmt: skip
