"""PEER_FEATURES as a data scientist would write them in pandas, with the lake's codes: read, filter, group, join."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.peers import DAYS, GRAVITY, HAZARDS, KEYS, PEER_FEATURES, POINTS, REASONS, REFUTED, UNSEEN, features_of
from features.review_text.incremental import MONTHS

CODE, SUPPLIER = "sku_code", "supplier"
"""Whole numbers that name a SKU and a supplier."""
REVIEW = ["happened_on", "known_on", "rating", "verified", "text_key", "copy_key", "hazard", "severity", *HAZARDS]
Columns = Mapping[str, Any]


def features_in_pandas(lake: Path, signals: Path, as_of: date) -> pd.DataFrame:
    """PEER_FEATURES of every SKU of the lake folder on `as_of`, beside sku_id and market."""
    day = pd.Timestamp(as_of)
    skus = pd.read_parquet(lake / "skus.parquet", columns=[*KEYS, CODE, "supplier_id", "listed_on"])
    skus[SUPPLIER], suppliers = pd.factorize(skus["supplier_id"])
    owner = np.empty(len(skus), dtype=np.intp)
    owner[skus[CODE]] = skus[SUPPLIER]
    listed = skus[pd.to_datetime(skus["listed_on"]) <= day].set_index(CODE)
    certified = _certificates(lake, day)
    certified[SUPPLIER] = pd.Index(suppliers).get_indexer(certified["supplier_id"])
    rows = [_orders(lake, day), _returns(lake, day), _reviews(signals, day), _tests(lake, day)]
    for table in rows:
        table[SUPPLIER] = owner[table[CODE]]
    of_skus = _joined(listed[[*KEYS, SUPPLIER]], rows, CODE)
    by_id = _certified(certified, "sku_id").join(_reuses(certified))
    of_skus = of_skus.join(by_id.reindex(of_skus["sku_id"]).set_axis(of_skus.index))
    of_suppliers = _joined(pd.DataFrame(index=np.unique(listed[SUPPLIER])), rows, SUPPLIER)
    of_suppliers = of_suppliers.join(_certified(certified, SUPPLIER))
    supplier = _features(of_suppliers, "supplier").reindex(of_skus[SUPPLIER]).set_axis(of_skus.index)
    return pd.concat([of_skus[KEYS], _features(of_skus, "sku"), supplier], axis=1)[[*KEYS, *PEER_FEATURES]]


def _joined(entities: pd.DataFrame, rows: list[pd.DataFrame], key: str) -> pd.DataFrame:
    sums = (_sold, _returned, _reviewed, _tested)
    return entities.join([of(table, key) for of, table in zip(sums, rows, strict=True)])


def _features(sums: pd.DataFrame, entity: str) -> pd.DataFrame:
    of = {str(name): sums[name] if name in UNSEEN else sums[name].fillna(0) for name in sums if name not in KEYS}
    return pd.DataFrame(features_of(of, entity, lambda hits, trials: hits / trials.where(trials > 0)))


def _known(rows: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """The rows known before `day`, with their age in days."""
    rows = rows[pd.to_datetime(rows["known_on"]) < day]
    return rows.assign(age=(day - pd.to_datetime(rows["happened_on"])).dt.days)


def _read(lake: Path, name: str, columns: list[str], day: pd.Timestamp) -> pd.DataFrame:
    return _known(pd.read_parquet(lake / f"{name}.parquet", columns=["happened_on", "known_on", *columns]), day)


def _summed(rows: pd.DataFrame, key: str, columns: Columns) -> pd.DataFrame:
    return pd.DataFrame({key: rows[key], **columns}).groupby(key, sort=False).sum()


def _orders(lake: Path, day: pd.Timestamp) -> pd.DataFrame:
    return _read(lake, "orders", [CODE, "units"], day)


def _sold(orders: pd.DataFrame, key: str) -> pd.DataFrame:
    age, units = orders["age"], orders["units"]
    sums = {"matured_365": units.where((age <= 395) & (age >= 30), 0)}
    if key == SUPPLIER:
        return _summed(orders, key, sums)
    sums |= {f"units_{window}": units.where(age <= window, 0) for window in DAYS}
    sums["units_before"] = units.where((age <= 180) & (age > 90), 0)
    sums["matured_90"] = units.where((age <= 120) & (age >= 30), 0)
    ages = orders.groupby(key, sort=False)["age"].agg(days_on_sale="max", days_since_sale="min")
    return _summed(orders, key, {**sums, "sale_days_365": age <= 365}).join(ages)


def _returns(lake: Path, day: pd.Timestamp) -> pd.DataFrame:
    returns = _read(lake, "returns", [CODE, "units", "reason"], day)
    return returns.assign(units=returns["units"].fillna(1))


def _returned(returns: pd.DataFrame, key: str) -> pd.DataFrame:
    age, units = returns["age"], returns["units"]
    kinds = {kind: returns["reason"].isin(reasons) for kind, reasons in REASONS.items()}
    sums = {kind: units.where(told & (age <= 365), 0) for kind, told in kinds.items()}
    sums["returned_365"] = units.where(age <= 365, 0)
    if key == CODE:
        sums["returned_90"] = units.where(age <= 90, 0)
        sums |= {f"safety_returns_{days}": units.where(kinds["safety"] & (age <= days), 0) for days in DAYS}
    return _summed(returns, key, sums)


def _reviews(signals: Path, day: pd.Timestamp) -> pd.DataFrame:
    """The reviews of the last year with the hazards that were read in them."""
    files = [str(path) for path in sorted(signals.glob(f"{MONTHS}/*.parquet"))]
    reviews = _known(pq.read_table(files, columns=[CODE, *REVIEW]).to_pandas(), day)
    return reviews[reviews["age"] <= 365].copy()


def _reviewed(reviews: pd.DataFrame, key: str) -> pd.DataFrame:
    """Sums over the reviews, copies counted once where they speak of a hazard."""
    rating, age, hazard, told = reviews["rating"], reviews["age"], reviews["hazard"], reviews["verified"].notna()
    verified, earlier = reviews["verified"].fillna(False).astype(bool), (age > 30) & (age <= 120)
    sums = {
        **{f"reviews_{days}": age <= days for days in DAYS}, "reviews_earlier": earlier, "rated": rating.notna(),
        "low": rating <= 2, "told": told, "verified": verified,
    }  # fmt: skip
    speaks = {
        **{f"hazard_reviews_{days}": hazard & (age <= days) for days in DAYS},
        "hazards_earlier": hazard & earlier, "five_star_hazard_reviews": hazard & (rating == 5),
    }  # fmt: skip
    if key == CODE:
        recent = age <= 90
        sums |= {
            "stars": rating, "five": rating == 5, "rated_recently": rating.notna() & recent,
            "stars_recently": rating.where(recent), "hazards_told": hazard & told,
            "hazards_verified": hazard & verified,
        }  # fmt: skip
        speaks |= {name: reviews[name] for name in HAZARDS}
    texts = reviews.groupby(key, sort=False)["text_key"].nunique()
    different = {"texts": texts, "worst_hazard": reviews[hazard].groupby(key)["severity"].max()}
    different |= {name: reviews[condition].groupby(key, sort=False)["copy_key"].nunique()
                  for name, condition in speaks.items()}  # fmt: skip
    return _summed(reviews, key, sums).join(pd.DataFrame(different))


def _tests(lake: Path, day: pd.Timestamp) -> pd.DataFrame:
    """Tests with a clear result."""
    tests = _read(lake, "lab_tests", [CODE, "result", "origin", "severity"], day)
    tests = tests[tests["result"].isin(["pass", "fail"])]
    given, failed = tests["origin"] == "supplier_provided", tests["result"] == "fail"
    return tests.assign(given=given, independent=~given, fail=failed & ~given, given_fails=failed & given)


def _tested(tests: pd.DataFrame, key: str) -> pd.DataFrame:
    age, fail, independent = tests["age"], tests["fail"], tests["independent"]
    sums = {
        "tests": independent, "fails": fail, "given": tests["given"], "given_fails": tests["given_fails"],
        **{f"fails_{days}": fail & (age <= days) for days in DAYS},
        **{f"tests_{days}": independent & (age <= days) for days in (90, 365)},
        "critical": fail & (tests["severity"] == "critical"),
        "points": tests["severity"].map(POINTS).where(fail & (age <= 365), 0),
    }  # fmt: skip
    ages = tests[[key]].assign(days_since_test=age.where(independent), days_since_fail=age.where(fail))
    return _summed(tests, key, sums).join(ages.groupby(key, sort=False).min())


def _certificates(lake: Path, day: pd.Timestamp) -> pd.DataFrame:
    """Every status known before `day`, with `current`: it is the newest of its certificate."""
    rows = _read(lake, "certificates", ["certificate_id", "supplier_id", "sku_id", "status", "expires_on"], day)
    expires_on, gravity = pd.to_datetime(rows["expires_on"]), rows["status"].map(GRAVITY)
    rows = rows.assign(
        left=(expires_on - day).dt.days, past=(rows["status"] == "expired") | (expires_on < day), gravity=gravity,
        refuted=rows["status"].isin(REFUTED),
    ).sort_values(["happened_on", "known_on", "gravity"], kind="stable")  # fmt: skip
    return rows.assign(current=~rows.duplicated(["supplier_id", "certificate_id"], keep="last"))


def _certified(rows: pd.DataFrame, key: str) -> pd.DataFrame:
    current, status, refuted = rows["current"], rows["status"], rows["refuted"] & rows["current"]
    sums = {
        "certificates": current, "certificates_refuted": refuted,
        "certificates_confirmed": current & ~rows["past"] & (status == "confirmed"),
        "certificates_claimed_only": current & ~rows["past"] & (status == "claimed"),
        "certificates_expired": current & rows["past"] & ~refuted,
        "certificates_refuted_365": refuted & (rows["age"] <= 365),
    }  # fmt: skip
    left = rows["left"].where(current & (status == "confirmed"))
    grouped = rows[[key, "age"]].assign(left=left).groupby(key, sort=False)
    last = {"certificate_days_to_expiry": grouped["left"].max(), "days_since_certificate_change": grouped["age"].min()}
    return _summed(rows, key, sums).assign(**last)


def _reuses(rows: pd.DataFrame) -> pd.DataFrame:
    """Other SKUs that name the same certificate."""
    claims = rows.dropna(subset="sku_id")[["certificate_id", "sku_id"]].drop_duplicates()
    pairs = claims.merge(claims, on="certificate_id", suffixes=("", "_other"))
    others = pairs[pairs["sku_id"] != pairs["sku_id_other"]].groupby("sku_id")["sku_id_other"].nunique()
    return others.to_frame("certificate_reuse")
