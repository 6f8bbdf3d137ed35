"""What is declared about one feature."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from features.reference import Reference

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from features.source import Source

Group = Literal[
    "supplier history", "certificates", "audits", "returns", "review text", "listing", "category and market", "exposure"
]
Unit = Literal[
    "share", "share points", "count", "days", "months", "EUR", "log EUR", "stars", "points", "per 1,000 units",
    "standard deviations", "log-odds", "ratio", "grade", "yes/no",
]  # fmt: skip
Entity = Literal["sku", "supplier", "factory", "category", "title"]

KEYS: Mapping[Entity, tuple[str, ...]] = {
    "sku": ("sku_id", "market"),
    "supplier": ("supplier_id",),
    "factory": ("factory_id",),
    "category": ("category", "market"),
    "title": ("title_key",),
}


@dataclass(frozen=True)
class Feature:
    """One number about one entity on one day, and how to say it.

    `direction` is the expected effect of a higher value on failing: +1 more, -1 less, 0 either; training turns
    it into a monotone constraint. `sentence` is what a reason shows, with `{value}` in its place and `[s]` or
    `[is|are]` where the words follow the number; `missing` is shown where the value is unknown. `value` is the
    expression over the rows of `source`.
    """

    name: str
    meaning: str
    unit: Unit
    group: Group
    entity: Entity
    direction: Literal[-1, 0, 1]
    sentence: str
    missing: str
    source: "Source"
    value: Callable[["ir.Table", Reference], "ir.Value"]
