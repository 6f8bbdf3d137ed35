"""What the peers of the features benchmark compute alike: which features, and the ratios of their sums."""

from collections.abc import Callable, Mapping
from typing import Any

from features.fitted_tables import FittedTables
from features.registry import CATALOGUE
from features.review_text.hazards import hazards

KEYS = ["sku_id", "market"]
TABLES = ("orders", "returns", "reviews", "lab_tests", "certificates")
"""The tables whose features of SKUs and of suppliers the peers compute, all but the rates that weigh by age."""
PEER_FEATURES = tuple(
    feature.name
    for feature in CATALOGUE
    if feature.entity in ("sku", "supplier") and set(feature.source.needs) <= set(TABLES) and feature.source.needs
    and not feature.name.endswith("_recent")
)  # fmt: skip
DAYS = (30, 90, 365)
REASONS = {
    "safety": ["safety_concern", "allergic_reaction"],
    "quality": ["defective", "damaged_in_transit"],
    "deception": ["not_as_described", "counterfeit_suspected"],
}
GRAVITY = {"claimed": 0, "confirmed": 1, "expired": 2, "out_of_scope": 3, "withdrawn": 4, "denied": 5}
REFUTED = ["out_of_scope", "withdrawn", "denied"]
POINTS = {"minor": 1, "major": 5, "critical": 25}
HAZARDS = tuple(hazards())
UNSEEN = (
    "days_on_sale", "days_since_sale", "days_since_test", "days_since_fail", "certificate_days_to_expiry",
    "days_since_certificate_change", "worst_hazard",
)  # fmt: skip
"""Sums that are missing, not 0, where nothing was seen."""

Column = Any
"""A column of the peer's own library, which adds and divides."""


def own_names(entity: str) -> list[str]:
    """PEER_FEATURES of one entity without its prefix."""
    return [name.removeprefix(f"{entity}_") for name in PEER_FEATURES if name.startswith(f"{entity}_")]


def features_of(
    sums: Mapping[str, Column], entity: str, share: Callable[[Column, Column], Column]
) -> dict[str, Column]:
    """PEER_FEATURES of one entity by name, from the sums of its rows; `share` divides, missing where there are none."""
    ratios = _of_returns(sums) | _of_reviews(sums, share) | _of_tests(sums, entity, share)
    ratios |= _of_certificates(sums, share) if entity == "supplier" else _of_skus(sums, share)
    return {f"{entity}_{name}": ratios[name] if name in ratios else sums[name] for name in own_names(entity)}


def _shrunk(hits: Column, trials: Column, rate: str) -> Column:
    prior = FittedTables.untrained().prior(rate)
    return (hits + prior.mean * prior.strength) / (trials + prior.strength)


def _of_returns(sums: Mapping[str, Column]) -> dict[str, Column]:
    kinds = {f"{kind}_return": sums[kind] for kind in REASONS} | {"return": sums["returned_365"]}
    return {f"{kind}_rate_365": _shrunk(units, sums["matured_365"], kind) * 1000 for kind, units in kinds.items()}


def _of_reviews(sums: Mapping[str, Column], share: Callable[[Column, Column], Column]) -> dict[str, Column]:
    shrunk = {days: _shrunk(sums[f"hazard_reviews_{days}"], sums[f"reviews_{days}"], "hazard_review")
              for days in DAYS}  # fmt: skip
    earlier = _shrunk(sums["hazards_earlier"], sums["reviews_earlier"], "hazard_review")
    return {
        **{f"hazard_review_rate_{days}": rate for days, rate in shrunk.items()}, "hazard_growth": shrunk[30] - earlier,
        "low_rating_rate": _shrunk(sums["low"], sums["rated"], "low_rating"),
        "verified_share": share(sums["verified"], sums["told"]),
        "duplicate_share": share(sums["reviews_365"] - sums["texts"], sums["reviews_365"]),
    }  # fmt: skip


def _of_tests(sums: Mapping[str, Column], entity: str, share: Callable[[Column, Column], Column]) -> dict[str, Column]:
    rates = {f"fail_rate_{days}": _shrunk(sums[f"fails_{days}"], sums[f"tests_{days}"], f"{entity}_fail")
             for days in (90, 365)}  # fmt: skip
    fails = _shrunk(sums["fails"], sums["tests"], f"{entity}_fail")
    passes = _shrunk(sums["given"] - sums["given_fails"], sums["given"], "golden_pass")
    return {
        **rates, "fail_rate": fails, "golden_gap": passes - (fails * -1 + 1),
        "critical_rate": _shrunk(sums["critical"], sums["tests"], "critical_fail"),
        "severity_365": share(sums["points"], sums["tests_365"]),
    }  # fmt: skip


def _of_certificates(sums: Mapping[str, Column], share: Callable[[Column, Column], Column]) -> dict[str, Column]:
    columns = {"confirmed": "confirmed", "claimed": "claimed_only", "expired": "expired"}
    shares = {f"{kind}_share": share(sums[f"certificates_{column}"], sums["certificates"])
              for kind, column in columns.items()}  # fmt: skip
    return shares | {"refuted_rate": _shrunk(sums["certificates_refuted"], sums["certificates"], "refuted_certificate")}


def _of_skus(sums: Mapping[str, Column], share: Callable[[Column, Column], Column]) -> dict[str, Column]:
    before = share(sums["stars"] - sums["stars_recently"], sums["rated"] - sums["rated_recently"])
    return {
        **{f"{name}_review_rate": _shrunk(sums[name], sums["reviews_365"], "hazard_review") for name in HAZARDS},
        "return_rate_90": _shrunk(sums["returned_90"], sums["matured_90"], "return") * 1000,
        "growth": (sums["units_90"] + 1) / (sums["units_before"] + 1),
        "rating_mean": share(sums["stars"], sums["rated"]), "five_star_share": share(sums["five"], sums["rated"]),
        "rating_trend": share(sums["stars_recently"], sums["rated_recently"]) - before,
        "verified_hazard_share": share(sums["hazards_verified"], sums["hazards_told"]),
    }  # fmt: skip
