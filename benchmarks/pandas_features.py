"""A part of the features as a data scientist would compute them with pandas: read, filter, group, merge."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from features.lexicon import hazard_terms
from features.reference import Prior, Reference

KEYS = ["sku_id", "market"]
HAZARDS = tuple(terms.hazard for terms in hazard_terms())
PEER_FEATURES = (
    "sku_units_30", "sku_units_90", "sku_units_365", "sku_sale_days_365", "sku_days_on_sale", "sku_days_since_sale",
    "sku_growth", "sku_safety_returns_365", "sku_safety_returns_90", "sku_safety_returns_30", "sku_return_rate_365",
    "sku_return_rate_90", "sku_safety_return_rate_365", "sku_quality_return_rate_365", "sku_deception_return_rate_365",
    "sku_reviews_365", "sku_rating_mean", "sku_five_star_share", "sku_verified_share", "sku_hazard_reviews_365",
    "sku_hazard_reviews_90", "sku_hazard_reviews_30", "sku_hazard_review_rate",
    *(f"sku_{hazard}_review_rate" for hazard in HAZARDS),
)  # fmt: skip
REASONS = {
    "safety": ["safety_concern", "allergic_reaction"],
    "quality": ["defective", "damaged_in_transit"],
    "deception": ["not_as_described", "counterfeit_suspected"],
}


def features_in_pandas(lake: Path, as_of: date) -> pd.DataFrame:
    """PEER_FEATURES of every SKU of the lake folder on `as_of`, beside sku_id and market."""
    day = pd.Timestamp(as_of)
    skus = pd.read_parquet(lake / "skus.parquet", columns=[*KEYS, "listed_on"])
    found = skus.loc[pd.to_datetime(skus["listed_on"]) <= day, KEYS]
    for part in (_sales(lake, day), _reviews(lake, day)):
        found = found.merge(part, on=KEYS, how="left")
    summed = ("_", "sku_units", "sku_safety", "sku_hazard", "sku_reviews", "sku_sale_days")
    counts = [str(name) for name in found if str(name).startswith(summed)]
    found[counts] = found[counts].fillna(0)
    return _rates(found)[[*KEYS, *PEER_FEATURES]]


def _known(lake: Path, name: str, columns: list[str], day: pd.Timestamp) -> pd.DataFrame:
    """The rows known before `day`, with their age in days."""
    rows = pd.read_parquet(lake / f"{name}.parquet", columns=[*KEYS, "happened_on", "known_on", *columns])
    rows = rows[pd.to_datetime(rows["known_on"]) < day]
    return rows.assign(age=(day - pd.to_datetime(rows["happened_on"])).dt.days)


def _sales(lake: Path, day: pd.Timestamp) -> pd.DataFrame:
    """Sums over orders and returns."""
    orders, returns = _known(lake, "orders", ["units"], day), _known(lake, "returns", ["units", "reason"], day)
    age, units, sums = orders["age"], orders["units"], {}
    for window in (30, 90, 365):
        sums[f"sku_units_{window}"] = units.where(age <= window, 0)
    sums["_units_before"] = units.where((age <= 180) & (age > 90), 0)
    for window in (90, 365):
        sums[f"_matured_{window}"] = units.where((age <= window + 30) & (age >= 30), 0)
    sums["sku_sale_days_365"] = ((units > 0) & (age <= 365)).astype("int64")
    sold = orders[KEYS].assign(**sums).groupby(KEYS, sort=False).sum()
    ages = orders[units > 0].groupby(KEYS, sort=False)["age"].agg(sku_days_on_sale="max", sku_days_since_sale="min")
    age, units, back = returns["age"], returns["units"].fillna(1), {}
    for window in (90, 365):
        back[f"_returned_{window}"] = units.where(age <= window, 0)
    for kind, reasons in REASONS.items():
        back[f"_{kind}"] = units.where(returns["reason"].isin(reasons) & (age <= 365), 0)
    for window in (30, 90, 365):
        safety = returns["reason"].isin(REASONS["safety"])
        back[f"sku_safety_returns_{window}"] = units.where(safety & (age <= window), 0)
    returned = returns[KEYS].assign(**back).groupby(KEYS, sort=False).sum()
    return sold.join(ages, how="outer").join(returned, how="outer").reset_index()


def _reviews(lake: Path, day: pd.Timestamp) -> pd.DataFrame:
    """Sums over the reviews of the last year."""
    reviews = _known(lake, "reviews", ["rating", "verified", "text"], day)
    reviews = reviews[reviews["age"] <= 365]
    text, age = reviews["text"].str.lower().fillna(""), reviews["age"]
    speaks = {terms.hazard: text.str.contains(_compiled(terms.pattern)) for terms in hazard_terms()}
    hazard = pd.concat(speaks, axis=1).any(axis=1)
    sums: dict[str, Any] = {
        "sku_reviews_365": 1, "_rated": reviews["rating"].notna(), "_stars": reviews["rating"],
        "_five": reviews["rating"] == 5, "_verified": reviews["verified"].fillna(False).astype(bool),
        "_told": reviews["verified"].notna(), "sku_hazard_reviews_365": hazard,
        "sku_hazard_reviews_90": hazard & (age <= 90), "sku_hazard_reviews_30": hazard & (age <= 30),
        **{f"_{name}": found for name, found in speaks.items()},
    }  # fmt: skip
    return reviews[KEYS].assign(**sums).groupby(KEYS, sort=False).sum().reset_index()


def _compiled(pattern: str) -> "re.Pattern[str]":
    """The lexicon's pattern for Python, whose `re` has no class for letters."""
    return re.compile(pattern.replace(r"[^\p{L}]", r"[\W\d_]").replace(r"\p{L}", r"[^\W\d_]"))


def _rates(found: pd.DataFrame) -> pd.DataFrame:
    """The ratios of the sums."""
    reference = Reference.untrained()

    def shrunk(hits: "pd.Series[float]", trials: "pd.Series[float]", prior: Prior) -> "pd.Series[float]":
        return (hits + prior.mean * prior.strength) / (trials + prior.strength)

    rates = {"sku_growth": (found["sku_units_90"] + 1) / (found["_units_before"] + 1)}
    for window in (90, 365):
        prior = reference.prior("return")
        hits, trials = found[f"_returned_{window}"], found[f"_matured_{window}"]
        rates[f"sku_return_rate_{window}"] = 1000 * shrunk(hits, trials, prior)
    for kind in REASONS:
        prior = reference.prior(f"{kind}_return")
        rates[f"sku_{kind}_return_rate_365"] = 1000 * shrunk(found[f"_{kind}"], found["_matured_365"], prior)
    reviews, prior = found["sku_reviews_365"], reference.prior("hazard_review")
    rates["sku_hazard_review_rate"] = shrunk(found["sku_hazard_reviews_365"], reviews, prior)
    for hazard in HAZARDS:
        rates[f"sku_{hazard}_review_rate"] = shrunk(found[f"_{hazard}"], reviews, prior)
    rated, told = found["_rated"].where(found["_rated"] > 0), found["_told"].where(found["_told"] > 0)
    rates["sku_rating_mean"], rates["sku_five_star_share"] = found["_stars"] / rated, found["_five"] / rated
    rates["sku_verified_share"] = found["_verified"] / told
    return found.assign(**rates)
