"""A part of the features as a data scientist would compute them with pandas: read, filter, group, merge."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from features.fitted_tables import FittedTables
from features.registry import CATALOGUE
from features.review_text.hazards import hazards
from features.review_text.incremental import MONTHS

KEYS = ["sku_id", "market"]
WHOLE_TABLES = ("orders", "returns", "reviews", "lab_tests", "certificates")
"""The tables whose features of SKUs and of suppliers pandas computes, all of them."""
PEER_FEATURES = tuple(
    feature.name
    for feature in CATALOGUE
    if feature.entity in ("sku", "supplier") and set(feature.source.needs) <= set(WHOLE_TABLES) and feature.source.needs
)
REASONS = {
    "safety": ["safety_concern", "allergic_reaction"],
    "quality": ["defective", "damaged_in_transit"],
    "deception": ["not_as_described", "counterfeit_suspected"],
}
GRAVITY = {"claimed": 0, "confirmed": 1, "expired": 2, "out_of_scope": 3, "withdrawn": 4, "denied": 5}
REFUTED = ["out_of_scope", "withdrawn", "denied"]
SEVERITY_POINTS = {"minor": 1, "major": 5, "critical": 25}


def features_in_pandas(lake: Path, signals: Path, as_of: date) -> pd.DataFrame:
    """PEER_FEATURES of every SKU of the lake folder on `as_of`, beside sku_id and market.

    Reviews are taken from the folder `signals`, where the hazards that they speak of have been read.
    """
    day = pd.Timestamp(as_of)
    skus = pd.read_parquet(lake / "skus.parquet", columns=[*KEYS, "supplier_id", "listed_on"])
    owners = skus[[*KEYS, "supplier_id"]]
    found = skus.loc[pd.to_datetime(skus["listed_on"]) <= day, [*KEYS, "supplier_id"]]
    certified = _certificates(lake, day)
    certificates = certified.dropna(subset="sku_id")
    orders, returns = _orders(lake, day), _returns(lake, day)
    reviews, tests = _reviews(signals, day), _tests(lake, day)
    for part in (_sold(orders), _returned(orders, returns, KEYS), _reviewed(reviews, KEYS), _tested(tests, KEYS)):
        found = found.merge(part.add_prefix("sku_"), left_on=KEYS, right_index=True, how="left")
    for part in (_certified(certificates, "sku_id"), _reuses(certified)):
        found = found.merge(part.add_prefix("sku_"), left_on="sku_id", right_index=True, how="left")
    supplier = ["supplier_id"]
    orders, returns, reviews, tests = (rows.merge(owners, on=KEYS) for rows in (orders, returns, reviews, tests))
    suppliers = found[supplier].drop_duplicates()
    for part in (_returned(orders, returns, supplier), _reviewed(reviews, supplier), _tested(tests, supplier),
                 _certified(certified, "supplier_id")):  # fmt: skip
        suppliers = suppliers.merge(part.add_prefix("supplier_"), left_on="supplier_id", right_index=True, how="left")
    found = _rates(found, "sku").merge(_rates(suppliers, "supplier"), on="supplier_id", how="left")
    return found[[*KEYS, *PEER_FEATURES]]


def _known(lake: Path, name: str, columns: list[str], day: pd.Timestamp) -> pd.DataFrame:
    """The rows known before `day`, with their age in days."""
    rows = pd.read_parquet(lake / f"{name}.parquet", columns=[*KEYS, "happened_on", "known_on", *columns])
    rows = rows[pd.to_datetime(rows["known_on"]) < day]
    return rows.assign(age=(day - pd.to_datetime(rows["happened_on"])).dt.days)


def _orders(lake: Path, day: pd.Timestamp) -> pd.DataFrame:
    return _known(lake, "orders", ["units"], day)


def _sold(orders: pd.DataFrame) -> pd.DataFrame:
    """Exposure of each SKU."""
    age, units, sums = orders["age"], orders["units"], {}
    for window in (30, 90, 365):
        sums[f"units_{window}"] = units.where(age <= window, 0)
    sums["units_before"] = units.where((age <= 180) & (age > 90), 0)
    sums["sale_days_365"] = ((units > 0) & (age <= 365)).astype("int64")
    sold = orders[KEYS].assign(**sums).groupby(KEYS, sort=False).sum()
    ages = orders[units > 0].groupby(KEYS, sort=False)["age"].agg(days_on_sale="max", days_since_sale="min")
    return sold.join(ages, how="outer")


def _returns(lake: Path, day: pd.Timestamp) -> pd.DataFrame:
    returns = _known(lake, "returns", ["units", "reason"], day)
    return returns.assign(units=returns["units"].fillna(1))


def _returned(orders: pd.DataFrame, returns: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Sums over orders old enough and returns."""
    age, units = orders["age"], orders["units"]
    windows = (90, 365) if keys == KEYS else (365,)
    matured = {f"matured_{window}": units.where((age <= window + 30) & (age >= 30), 0) for window in windows}
    sold = orders[keys].assign(**matured).groupby(keys, sort=False).sum()
    age, units, back = returns["age"], returns["units"], {}
    for window in windows:
        back[f"returned_{window}"] = units.where(age <= window, 0)
    for kind, reasons in REASONS.items():
        back[kind] = units.where(returns["reason"].isin(reasons) & (age <= 365), 0)
    if keys == KEYS:
        safety = returns["reason"].isin(REASONS["safety"])
        for window in (30, 90, 365):
            back[f"safety_returns_{window}"] = units.where(safety & (age <= window), 0)
    return sold.join(returns[keys].assign(**back).groupby(keys, sort=False).sum(), how="outer")


WINDOWS = (30, 90, 365)
COLUMNS = ("happened_on", "known_on", "rating", "verified", "text_key", "copy_key", "hazard", "severity", *hazards())


def _reviews(signals: Path, day: pd.Timestamp) -> pd.DataFrame:
    """The reviews of the last year with the hazards that were read in them."""
    files = [str(path) for path in sorted(signals.glob(f"{MONTHS}/*.parquet"))]
    reviews: pd.DataFrame = pq.read_table(files, columns=[*KEYS, *COLUMNS]).to_pandas()
    reviews = reviews[pd.to_datetime(reviews["known_on"]) < day]
    reviews["age"] = (day - pd.to_datetime(reviews["happened_on"])).dt.days
    recent: pd.DataFrame = reviews[reviews["age"] <= 365]
    return recent


def _reviewed(reviews: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Sums over the reviews of the last year, copies counted once where they speak of a hazard."""
    rating, age, hazard = reviews["rating"], reviews["age"], reviews["hazard"]
    earlier = (age > 30) & (age <= 120)
    sums: dict[str, Any] = {
        **{f"reviews_{days}": age <= days for days in WINDOWS}, "reviews_earlier": earlier,
        "rated": rating.notna(), "low": rating <= 2, "told": reviews["verified"].notna(),
        "verified": reviews["verified"].fillna(False).astype(bool),
    }  # fmt: skip
    speaks: dict[str, Any] = {
        **{f"hazard_reviews_{days}": hazard & (age <= days) for days in WINDOWS},
        "hazards_earlier": hazard & earlier, "five_star_hazard_reviews": hazard & (rating == 5),
    }  # fmt: skip
    if keys == KEYS:
        recent = age <= 90
        sums |= {
            "stars": rating, "five": rating == 5, "rated_recently": rating.notna() & recent,
            "stars_recently": rating.where(recent), "hazards_told": hazard & reviews["verified"].notna(),
            "hazards_verified": hazard & reviews["verified"].fillna(False).astype(bool),
        }  # fmt: skip
        speaks |= {name: reviews[name] for name in hazards()}
    found = reviews[keys].assign(**sums).groupby(keys, sort=False).sum()
    of = reviews.groupby(keys, sort=False)
    told = {"texts": of["text_key"].nunique(), "worst": reviews[hazard].groupby(keys)["severity"].max()}
    told |= {name: reviews[condition].groupby(keys, sort=False)["copy_key"].nunique()
             for name, condition in speaks.items()}  # fmt: skip
    return found.join(pd.DataFrame(told), how="left")


def _tests(lake: Path, day: pd.Timestamp) -> pd.DataFrame:
    """Tests with a clear result."""
    tests = _known(lake, "lab_tests", ["result", "origin", "severity"], day)
    tests = tests[tests["result"].isin(["pass", "fail"])]
    given, failed = tests["origin"] == "supplier_provided", tests["result"] == "fail"
    return tests.assign(given=given, independent=~given, fail=failed & ~given, given_fails=failed & given)


def _tested(tests: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Sums over tests."""
    age, fail, independent = tests["age"], tests["fail"], tests["independent"]
    sums: dict[str, Any] = {"tests": independent, "fails": fail}
    for window in (30, 90, 365):
        sums[f"fails_{window}"], sums[f"tests_{window}"] = fail & (age <= window), independent & (age <= window)
    sums["critical"] = fail & (tests["severity"] == "critical")
    sums["points"] = tests["severity"].map(SEVERITY_POINTS).where(fail & (age <= 365), 0)
    sums["given"], sums["given_fails"] = tests["given"], tests["given_fails"]
    found = tests[keys].assign(**sums).groupby(keys, sort=False).sum()
    last = tests[keys].assign(days_since_test=age.where(independent), days_since_fail=age.where(fail))
    return found.join(last.groupby(keys, sort=False).min())


def _certificates(lake: Path, day: pd.Timestamp) -> pd.DataFrame:
    """The statuses that are the newest known of their certificate; every status known of it before `day` counts."""
    columns = ["certificate_id", "supplier_id", "sku_id", "happened_on", "known_on", "status", "expires_on"]
    rows = pd.read_parquet(lake / "certificates.parquet", columns=columns)
    days = {name: pd.to_datetime(rows[name]) for name in ("happened_on", "known_on", "expires_on")}
    rows = rows.assign(**days, gravity=rows["status"].map(GRAVITY))
    rows = rows[rows["known_on"] < day].sort_values(["happened_on", "known_on", "gravity"], kind="stable")
    current = ~rows.duplicated(["supplier_id", "certificate_id"], keep="last")
    past = (rows["status"] == "expired") | (rows["expires_on"] < day)
    return rows.assign(
        age=(day - rows["happened_on"]).dt.days,
        current=current,
        past=past,
        refuted=rows["status"].isin(REFUTED) & current,
    )


def _certified(rows: pd.DataFrame, key: str) -> pd.DataFrame:
    """Sums over certificates."""
    current, standing = rows["current"], rows["current"] & ~rows["past"]
    sums = {
        "certificates": current, "certificates_confirmed": standing & (rows["status"] == "confirmed"),
        "certificates_claimed_only": standing & (rows["status"] == "claimed"), "certificates_refuted": rows["refuted"],
        "certificates_expired": current & rows["past"] & ~rows["refuted"],
        "certificates_refuted_365": rows["refuted"] & (rows["age"] <= 365),
    }  # fmt: skip
    found = rows[[key]].assign(**sums).groupby(key, sort=False).sum()
    day = rows["happened_on"] + pd.to_timedelta(rows["age"], unit="D")
    left = (rows["expires_on"] - day).dt.days.where(current & (rows["status"] == "confirmed"))
    grouped = rows[[key]].assign(left=left, age=rows["age"]).groupby(key, sort=False)
    return found.assign(
        certificate_days_to_expiry=grouped["left"].max(), days_since_certificate_change=grouped["age"].min()
    )


def _reuses(rows: pd.DataFrame) -> pd.DataFrame:
    """Other SKUs that name the same certificate."""
    claims = rows.dropna(subset="sku_id")[["certificate_id", "sku_id"]].drop_duplicates()
    pairs = claims.merge(claims, on="certificate_id", suffixes=("", "_other"))
    others = pairs[pairs["sku_id"] != pairs["sku_id_other"]].groupby("sku_id")["sku_id_other"].nunique()
    return others.to_frame("certificate_reuse")


NOTHING_SEEN = ("days_", "certificate_days_to_expiry", "worst")
"""What is missing, not 0, where nothing was seen."""


def _rates(found: pd.DataFrame, entity: str) -> pd.DataFrame:
    """The ratios of the sums of one kind of entity."""
    own = {str(name).removeprefix(f"{entity}_"): str(name) for name in found if str(name).startswith(f"{entity}_")}
    counts = [column for name, column in own.items()
              if name not in ("id",) and not name.startswith(NOTHING_SEEN)]  # fmt: skip
    found = found.assign(**{column: found[column].fillna(0) for column in counts})
    of = {name: found[column] for name, column in own.items()}
    values = _test_rates(of, entity) | _return_rates(of) | _review_rates(of) | _certificate_rates(of)
    if entity == "sku":
        values["growth"] = (of["units_90"] + 1) / (of["units_before"] + 1)
    rates = pd.DataFrame({f"{entity}_{name}": value for name, value in values.items()})
    return pd.concat([found.drop(columns=rates.columns.intersection(found.columns)), rates], axis=1)


Sums = Mapping[str, "pd.Series[float]"]
REFERENCE = FittedTables.untrained()


def _shrunk(hits: "pd.Series[float]", trials: "pd.Series[float]", rate: str) -> "pd.Series[float]":
    prior = REFERENCE.prior(rate)
    return (hits + prior.mean * prior.strength) / (trials + prior.strength)


def _return_rates(of: Sums) -> dict[str, "pd.Series[float]"]:
    rates = {
        f"return_rate_{window}": 1000 * _shrunk(of[f"returned_{window}"], of[f"matured_{window}"], "return")
        for window in (90, 365) if f"returned_{window}" in of
    }  # fmt: skip
    for kind in REASONS:
        rates[f"{kind}_return_rate_365"] = 1000 * _shrunk(of[kind], of["matured_365"], f"{kind}_return")
    return rates


def _review_rates(of: Sums) -> dict[str, "pd.Series[float]"]:
    reviews, rated = of["reviews_365"], of["rated"].where(of["rated"] > 0)
    lately, earlier = (
        _shrunk(of[hits], of[trials], "hazard_review")
        for hits, trials in (("hazard_reviews_30", "reviews_30"), ("hazards_earlier", "reviews_earlier"))
    )
    rates = {
        **{f"hazard_review_rate_{days}": _shrunk(of[f"hazard_reviews_{days}"], of[f"reviews_{days}"], "hazard_review")
           for days in WINDOWS},
        "low_rating_rate": _shrunk(of["low"], of["rated"], "low_rating"), "hazard_growth": lately - earlier,
        "worst_hazard": of["worst"], "verified_share": of["verified"] / of["told"].where(of["told"] > 0),
        "duplicate_share": (reviews - of["texts"]) / reviews.where(reviews > 0),
    }  # fmt: skip
    if "stars" in of:
        recent = of["rated_recently"].where(of["rated_recently"] > 0)
        before = (of["rated"] - of["rated_recently"]).where(of["rated"] > of["rated_recently"])
        past = (of["stars"] - of["stars_recently"]) / before
        rates |= {f"{name}_review_rate": _shrunk(of[name], reviews, "hazard_review") for name in hazards()}
        rates |= {
            "rating_mean": of["stars"] / rated, "five_star_share": of["five"] / rated,
            "verified_hazard_share": of["hazards_verified"] / of["hazards_told"].where(of["hazards_told"] > 0),
            "rating_trend": of["stars_recently"] / recent - past,
        }  # fmt: skip
    return rates


def _test_rates(of: Sums, entity: str) -> dict[str, "pd.Series[float]"]:
    fails = _shrunk(of["fails"], of["tests"], f"{entity}_fail")
    passes = _shrunk(of["given"] - of["given_fails"], of["given"], "golden_pass")
    return {
        "fail_rate": fails, "golden_gap": passes - (1 - fails),
        "fail_rate_365": _shrunk(of["fails_365"], of["tests_365"], f"{entity}_fail"),
        "fail_rate_90": _shrunk(of["fails_90"], of["tests_90"], f"{entity}_fail"),
        "critical_rate": _shrunk(of["critical"], of["tests"], "critical_fail"),
        "severity_365": of["points"] / of["tests_365"].where(of["tests_365"] > 0),
    }  # fmt: skip


def _certificate_rates(of: Sums) -> dict[str, "pd.Series[float]"]:
    certificates = of["certificates"].where(of["certificates"] > 0)
    return {
        "refuted_rate": _shrunk(of["certificates_refuted"], of["certificates"], "refuted_certificate"),
        "confirmed_share": of["certificates_confirmed"] / certificates,
        "claimed_share": of["certificates_claimed_only"] / certificates,
        "expired_share": of["certificates_expired"] / certificates,
    }  # fmt: skip
