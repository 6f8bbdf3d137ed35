"""Features of alerts by public registers: recalls and reports about goods that are, or look like, the product."""

from typing import TYPE_CHECKING, Final

from features.definition import EventSource, Feature, count, days_since_last, distinct, within

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.lake.tables import Tables

GROUP: Final = "alerts"
ALERTS: Final = "alerts"
FIVE_YEARS, YEAR = 1_825, 365
NOT_KEPT: Final = "Alerts of public registers are not kept."


def _matches(tables: "Tables") -> "ir.Table":
    """Every alert with the SKU that it matches, once per SKU and market."""
    from data.alerts.matching import BY_NUMBER, alert_matches
    from data.lake.surrogate_keys import sku_key_columns

    matches = alert_matches(tables)
    named = matches.how.isin(BY_NUMBER).ifelse(1, 0)
    return matches.select(*sku_key_columns(matches), "alert_id", "happened_on", "known_on", named=named)


OF_SKU = EventSource("alerts that match the SKU", (ALERTS,), ("sku_id", "market"), _matches)
OF_SUPPLIER = EventSource("alerts that match SKUs of the supplier", (ALERTS,), ("supplier_id",), _matches)

FEATURES: tuple[Feature, ...] = (
    Feature(
        name="sku_alerts_named_1825",
        meaning="alerts of public registers in the last five years that name this product by a number",
        unit="count", group=GROUP, entity="sku", direction=1, about="alerts",
        sentence="{value} public alert[s] of the last five years [names|name] this product's number.",
        missing=NOT_KEPT,
        source=OF_SKU, value=lambda seen, _: count(within(seen, FIVE_YEARS) & (seen.named == 1)),
    ),
    Feature(
        name="sku_alerts_alike_1825",
        meaning="alerts of public registers in the last five years that match this product by its title only",
        unit="count", group=GROUP, entity="sku", direction=1, about="alerts",
        sentence="{value} public alert[s] of the last five years [is|are] about goods whose title is like its own.",
        missing=NOT_KEPT,
        source=OF_SKU, value=lambda seen, _: count(within(seen, FIVE_YEARS) & (seen.named == 0)),
    ),
    Feature(
        name="sku_days_since_alert",
        meaning="days since a public register last published an alert that matches this product",
        unit="days", group=GROUP, entity="sku", direction=0, about="alerts", sense=-1,
        sentence="A public alert that matches this product was last published {value} ago.",
        missing="No public alert matches this product.",
        source=OF_SKU, value=lambda seen, _: days_since_last(seen, seen.alert_id.notnull()),
    ),
    Feature(
        name="supplier_alerts_365",
        meaning="alerts of public registers in the last year that match products of this supplier, each once",
        unit="count", group=GROUP, entity="supplier", direction=1, about="alerts",
        sentence="{value} public alert[s] of the last year [matches|match] products of this supplier.",
        missing=NOT_KEPT,
        source=OF_SUPPLIER, value=lambda seen, _: distinct(seen.alert_id, within(seen, YEAR)),
    ),
)  # fmt: skip
