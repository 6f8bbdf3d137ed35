"""PEER_FEATURES as a data scientist would write them in Polars: scan, filter, group, join."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import polars as pl

from benchmarks.peers import DAYS, GRAVITY, HAZARDS, KEYS, PEER_FEATURES, POINTS, REASONS, REFUTED, UNSEEN, features_of
from features.review_text.incremental import MONTHS

CODE, SUPPLIER = "sku_code", "supplier_id"
age = pl.col("age")
Sums = dict[str, pl.Expr]


def features_in_polars(lake: Path, signals: Path, as_of: date) -> pl.DataFrame:
    """PEER_FEATURES of every SKU of the lake folder on `as_of`, beside sku_id and market."""
    skus = pl.scan_parquet(lake / "skus.parquet")
    owners = skus.select(CODE, SUPPLIER)
    certificates = _certificates(lake, as_of)
    rows = {
        "orders": _known(pl.scan_parquet(lake / "orders.parquet"), as_of),
        "returns": _known(pl.scan_parquet(lake / "returns.parquet"), as_of).with_columns(pl.col("units").fill_null(1)),
        "reviews": _known(pl.scan_parquet(signals / MONTHS / "*.parquet"), as_of).filter(age <= 365),
        "tests": _tests(lake, as_of),
    }
    listed = skus.filter(pl.col("listed_on") <= as_of).select(*KEYS, CODE, SUPPLIER)
    sums = {"orders": _of_orders(), "returns": _of_returns(), "reviews": _of_reviews(), "tests": _of_tests()}
    sku_sums = [rows[name].group_by(CODE).agg(**few) for name, few in sums.items()]
    supplier_sums = [rows[name].join(owners, on=CODE).group_by(SUPPLIER).agg(**few) for name, few in sums.items()]
    supplier_sums.append(certificates.group_by(SUPPLIER).agg(**_of_certificates()))
    by_id = [certificates.group_by("sku_id").agg(**_of_certificates()), _reuses(certificates)]
    wide = _features(_joined(_joined(listed, sku_sums, CODE), by_id, "sku_id"), "sku", [*KEYS, SUPPLIER])
    suppliers = _features(_joined(listed.select(SUPPLIER).unique(), supplier_sums, SUPPLIER), "supplier", [SUPPLIER])
    found = wide.join(suppliers, on=SUPPLIER, how="left").select(*KEYS, *PEER_FEATURES)
    return found.collect(engine="streaming")


def _joined(rows: pl.LazyFrame, parts: list[pl.LazyFrame], key: str) -> pl.LazyFrame:
    for part in parts:
        rows = rows.join(part, on=key, how="left")
    return rows


def _features(rows: pl.LazyFrame, entity: str, keys: list[str]) -> pl.LazyFrame:
    counts = pl.exclude(*KEYS, CODE, SUPPLIER, *UNSEEN).fill_null(0)
    sums: Mapping[str, pl.Expr] = {name: pl.col(name) for name in rows.collect_schema().names()}
    return rows.with_columns(counts).select(*keys, **features_of(sums, entity, _share))


def _share(hits: pl.Expr, trials: pl.Expr) -> pl.Expr:
    return pl.when(trials > 0).then(hits / trials)


def _known(rows: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """The rows known before the day, with their age in days."""
    days = (pl.lit(as_of) - pl.col("happened_on")).dt.total_days().cast(pl.Int32)
    return rows.filter(pl.col("known_on") < as_of).with_columns(age=days)


def _units(condition: pl.Expr) -> pl.Expr:
    return pl.when(condition).then("units").otherwise(0).sum()


def _of_orders() -> Sums:
    return {
        **{f"units_{days}": _units(age <= days) for days in DAYS}, "units_before": _units(age.is_between(91, 180)),
        **{f"matured_{days}": _units(age.is_between(30, days + 30)) for days in (90, 365)},
        "sale_days_365": (age <= 365).sum(), "days_on_sale": age.max(), "days_since_sale": age.min(),
    }  # fmt: skip


def _of_returns() -> Sums:
    kinds = {kind: pl.col("reason").is_in(reasons) for kind, reasons in REASONS.items()}
    return {
        **{f"returned_{days}": _units(age <= days) for days in (90, 365)},
        **{kind: _units(told & (age <= 365)) for kind, told in kinds.items()},
        **{f"safety_returns_{days}": _units(kinds["safety"] & (age <= days)) for days in DAYS},
    }


def _of_reviews() -> Sums:
    rating, hazard, verified = pl.col("rating"), pl.col("hazard"), pl.col("verified")
    earlier, recent, rated = age.is_between(31, 120), age <= 90, rating.is_not_null()
    speaks = {
        **{f"hazard_reviews_{days}": hazard & (age <= days) for days in DAYS}, "hazards_earlier": hazard & earlier,
        "five_star_hazard_reviews": hazard & (rating == 5), **{name: pl.col(name) for name in HAZARDS},
    }  # fmt: skip
    return {
        **{f"reviews_{days}": (age <= days).sum() for days in DAYS}, "reviews_earlier": earlier.sum(),
        "rated": rated.sum(), "low": (rating <= 2).sum(), "told": verified.is_not_null().sum(),
        "verified": verified.sum(), "stars": rating.sum(), "five": (rating == 5).sum(),
        "rated_recently": (rated & recent).sum(), "stars_recently": pl.when(recent).then(rating).otherwise(0).sum(),
        "hazards_told": (hazard & verified.is_not_null()).sum(), "hazards_verified": (hazard & verified).sum(),
        "texts": pl.col("text_key").n_unique(), "worst_hazard": pl.when(hazard).then("severity").max(),
        **{name: pl.when(told).then("copy_key").drop_nulls().n_unique() for name, told in speaks.items()},
    }  # fmt: skip


def _tests(lake: Path, as_of: date) -> pl.LazyFrame:
    """Tests with a clear result."""
    tests = _known(pl.scan_parquet(lake / "lab_tests.parquet"), as_of).filter(pl.col("result").is_in(["pass", "fail"]))
    given, failed = pl.col("origin") == "supplier_provided", pl.col("result") == "fail"
    return tests.with_columns(given=given, independent=~given, fail=failed & ~given, given_fail=failed & given)


def _of_tests() -> Sums:
    fail, independent = pl.col("fail"), pl.col("independent")
    points = pl.col("severity").replace_strict(POINTS, default=0, return_dtype=pl.Int64)
    return {
        "tests": independent.sum(), "fails": fail.sum(), "given": pl.col("given").sum(),
        "given_fails": pl.col("given_fail").sum(), "critical": (fail & (pl.col("severity") == "critical")).sum(),
        **{f"fails_{days}": (fail & (age <= days)).sum() for days in DAYS},
        **{f"tests_{days}": (independent & (age <= days)).sum() for days in (90, 365)},
        "points": pl.when(fail & (age <= 365)).then(points).otherwise(0).sum(),
        "days_since_test": pl.when(independent).then(age).min(), "days_since_fail": pl.when(fail).then(age).min(),
    }  # fmt: skip


def _certificates(lake: Path, as_of: date) -> pl.LazyFrame:
    """Every status, with `current`: it is the newest known of its certificate."""
    rows = _known(pl.scan_parquet(lake / "certificates.parquet"), as_of)
    rows = rows.with_columns(gravity=pl.col("status").replace_strict(GRAVITY, return_dtype=pl.Int8))
    number, last = pl.int_range(pl.len()), pl.len() - 1
    return rows.sort("happened_on", "known_on", "gravity").with_columns(
        current=(number == last).over(SUPPLIER, "certificate_id"),
        past=(pl.col("status") == "expired") | (pl.col("expires_on") < as_of).fill_null(False),
        left=(pl.col("expires_on") - pl.lit(as_of)).dt.total_days(), refuted=pl.col("status").is_in(REFUTED),
    )  # fmt: skip


def _of_certificates() -> Sums:
    current, past, refuted, status = pl.col("current"), pl.col("past"), pl.col("refuted"), pl.col("status")
    return {
        "certificates": current.sum(),
        "certificates_refuted": (current & refuted).sum(),
        "certificates_confirmed": (current & ~past & (status == "confirmed")).sum(),
        "certificates_claimed_only": (current & ~past & (status == "claimed")).sum(),
        "certificates_expired": (current & past & ~refuted).sum(),
        "certificates_refuted_365": (current & refuted & (age <= 365)).sum(),
        "certificate_days_to_expiry": pl.when(current & (status == "confirmed")).then("left").max(),
        "days_since_certificate_change": age.min(),
    }


def _reuses(certificates: pl.LazyFrame) -> pl.LazyFrame:
    """Other SKUs that name the same certificate."""
    claims = certificates.drop_nulls("sku_id").select("certificate_id", "sku_id").unique()
    pairs = claims.join(claims, on="certificate_id", suffix="_other").filter(pl.col("sku_id") != pl.col("sku_id_other"))
    return pairs.group_by("sku_id").agg(certificate_reuse=pl.col("sku_id_other").n_unique())
