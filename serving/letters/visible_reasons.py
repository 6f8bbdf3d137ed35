"""Reasons of a score that its seller may see: what the model read about the seller's own product."""

from collections.abc import Iterable

from features.registry import BY_NAME
from serving.decisions.records import ContextReason

MAX_REASONS = 4
_ABOUT_THE_MODEL = ("%", "score", "point", "model", "predict", "estimate", "likel", "risk")
"""Parts of words of a prediction: a sentence with one of them is not told."""

_OF_THE_LISTING = frozenset({
    "sku_age_grade_months", "sku_button_battery", "sku_certificates_claimed_only", "sku_certificates_confirmed",
    "sku_certificates_expired", "sku_certificates_refuted", "sku_fails_365", "sku_food_contact", "sku_holds_365",
    "sku_incidents_365", "sku_incidents_90", "sku_injuries_365", "sku_li_ion_battery", "sku_mains_powered", "sku_radio",
    "sku_responsible_person", "sku_safety_returns_30", "sku_safety_returns_365", "sku_safety_returns_90",
    "sku_skin_contact", "sku_tests", "supplier_fails_30", "supplier_fails_365", "supplier_fails_90",
    "supplier_remediations_open", "supplier_remediations_overdue",
})  # fmt: skip
"""Features that state what the seller knows of its own products, where the registry does not say whether it may."""


def supplier_may_see(feature: str) -> bool:
    """Whether the reason of a feature may be told to the supplier: it names nobody else and tells nothing of others."""
    registered = BY_NAME.get(feature)
    return registered is not None and bool(getattr(registered, "supplier_may_see", feature in _OF_THE_LISTING))


def visible_reasons(reasons: Iterable[ContextReason]) -> tuple[str, ...]:
    """The sentences of the reasons that raised a score and that the supplier may see, at most `MAX_REASONS`."""
    told = (each.sentence for each in reasons if each.contribution > 0 and supplier_may_see(each.feature))
    plain = [each for each in told if not any(word in each.casefold() for word in _ABOUT_THE_MODEL)]
    return tuple(plain[:MAX_REASONS])
