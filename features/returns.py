"""How much of what was sold comes back, and why."""

from typing import TYPE_CHECKING, Final

from features.feature import Entity, Feature
from features.measures import smoothed, total, within
from features.reference import Reference
from features.sales import RETURNS_OF_SKU, RETURNS_OF_SUPPLIER
from features.source import Events

if TYPE_CHECKING:
    import ibis.expr.types as ir

GROUP: Final = "returns"
MATURITY_DAYS = 30
SOURCE: dict[Entity, Events] = {"sku": RETURNS_OF_SKU, "supplier": RETURNS_OF_SUPPLIER}
WHAT: dict[Entity, str] = {"sku": "this product", "supplier": "this supplier's products"}
COLUMN = {"return": "returned", "safety_return": "safety", "quality_return": "quality", "deception_return": "deception"}
WHY = {
    "return": "for any reason",
    "safety_return": "for a safety concern or an allergic reaction",
    "quality_return": "as defective or damaged",
    "deception_return": "as not as described or counterfeit",
}


def matured(seen: "ir.Table", window_days: int) -> "ir.BooleanValue":
    """Whether the day lies in the window moved back by 30 days, so that most returns of its sales have arrived."""
    return within(seen, window_days + MATURITY_DAYS) & (seen.age_days >= MATURITY_DAYS)


def _rate(entity: Entity, kind: str, window_days: int) -> Feature:
    def rate(seen: "ir.Table", reference: Reference) -> "ir.Value":
        returned = total(seen[COLUMN[kind]], within(seen, window_days))
        return 1000 * smoothed(returned, total(seen.sold, matured(seen, window_days)), reference.prior(kind))

    return Feature(
        name=f"{entity}_{kind}_rate_{window_days}",
        meaning=f"units of {WHAT[entity]} returned {WHY[kind]} in the last {window_days} days per 1,000 units sold "
        f"at least {MATURITY_DAYS} days ago, shrunk to the usual rate",
        unit="per 1,000 units", group=GROUP, entity=entity, direction=1 if kind == "safety_return" else 0,
        sentence=f"Sales and returns of {WHAT[entity]} in the last {window_days} days point to {{value}} "
        f"returned {WHY[kind]}.",
        missing=f"Sales and returns of {WHAT[entity]} are not kept.",
        source=SOURCE[entity], value=rate,
    )  # fmt: skip


def _safety_returns(window_days: int) -> Feature:
    return Feature(
        name=f"sku_safety_returns_{window_days}",
        meaning=f"units of this product returned {WHY['safety_return']} in the last {window_days} days",
        unit="count", group=GROUP, entity="sku", direction=1,
        sentence=f"{{value}} unit[s] of this product came back {WHY['safety_return']} in the last {window_days} days.",
        missing="Sales and returns of this product are not kept.",
        source=RETURNS_OF_SKU, value=lambda seen, _: total(seen.safety, within(seen, window_days)),
    )  # fmt: skip


FEATURES: tuple[Feature, ...] = (
    _rate("sku", "return", 365), _rate("sku", "return", 90),
    _rate("sku", "safety_return", 365), _rate("sku", "quality_return", 365), _rate("sku", "deception_return", 365),
    _safety_returns(365), _safety_returns(90), _safety_returns(30),
    _rate("supplier", "return", 365), _rate("supplier", "safety_return", 365),
    _rate("supplier", "quality_return", 365), _rate("supplier", "deception_return", 365),
)  # fmt: skip
