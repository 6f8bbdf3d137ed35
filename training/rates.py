"""What the rates behind the features usually are and how much they differ: priors fitted by moments."""

from collections.abc import Mapping
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from data.lake.tables import Tables
from features.reference import UNTRAINED_RATES, Prior
from features.reviews import read_reviews
from features.sales import sales_and_returns
from training.metrics import Floats

FEWEST_GROUPS = 10
WEAKEST, STRONGEST = 0.5, 5000.0
ENTITY_KEYS: Mapping[str, tuple[str, ...]] = {
    "supplier_fail": ("supplier_id",),
    "factory_fail": ("factory_id",),
    "category_fail": ("category", "market"),
    "sku_fail": ("sku_id", "market"),
    "title_fail": ("title_key",),
}
UNITS = {"return": "returned", "safety_return": "safety", "quality_return": "quality", "deception_return": "deception"}


def fit_rates(tables: Tables, labels: pd.DataFrame, until: date) -> Mapping[str, Prior]:
    """The prior of every rate in UNTRAINED_RATES, from `labels` and from what `tables` knew before `until`.

    A rate for which fewer than FEWEST_GROUPS entities were seen twice keeps its untrained prior.
    """
    fitted = {rate: label_prior(labels, rate) for rate in ENTITY_KEYS}
    critical = labels.assign(failed=labels["failed"] & (labels["severity"] == "critical"))
    fitted["critical_fail"] = label_prior(critical, "critical_fail")
    for rate, counted in _counted(tables, until).items():
        tallies = tables.backend.to_pyarrow(counted).to_pandas()
        fitted[rate] = beta_prior(tallies["hits"].to_numpy(float), tallies["trials"].to_numpy(float), rate)
    return fitted


def label_prior(labels: pd.DataFrame, rate: str) -> Prior:
    """The prior of a rate that the labels alone tell: that of an entity of ENTITY_KEYS, or of the supplier."""
    keys = list(ENTITY_KEYS.get(rate, ("supplier_id",)))
    by_entity = labels.dropna(subset=keys).groupby(keys)["failed"].agg(["sum", "count"])
    return beta_prior(by_entity["sum"].to_numpy(float), by_entity["count"].to_numpy(float), rate)


def beta_prior(hits: Floats, trials: Floats, rate: str) -> Prior:
    """The mean and strength of the beta distribution behind `hits` of `trials` of each entity.

    The strength follows from the correlation inside entities that the spread of their shares shows (analysis of
    variance estimator; Kleinman, J. Am. Stat. Assoc. 68 (1973) 46), kept between WEAKEST and STRONGEST.
    """
    order = np.lexsort((hits, trials))  # DuckDB groups in any order, and sums of floats depend on it
    hits, trials = hits[order][trials[order] > 0], trials[order][trials[order] > 0]
    if (trials > 1).sum() < FEWEST_GROUPS:
        return UNTRAINED_RATES[rate]
    total = trials.sum()
    mean = float(np.clip((hits.sum() + 0.5) / (total + 1), 1e-6, 1 - 1e-6))
    spread = float((trials * (hits / trials - mean) ** 2).sum() / (mean * (1 - mean)))
    correlation = (spread - (len(trials) - 1)) / float(((1 - trials / total) * (trials - 1)).sum())
    strength = 1 / correlation - 1 if correlation > 0 else STRONGEST
    return Prior(mean, float(np.clip(strength, WEAKEST, STRONGEST)))


def _counted(tables: Tables, until: date) -> Mapping[str, ir.Table]:
    """For each rate that tables other than the labels tell, hits and trials per entity known before `until`."""
    before = ibis.date(until.isoformat())
    counted: dict[str, ir.Table] = {}
    tests = tables["lab_tests"].filter(
        lambda test: (
            (test.known_on < before) & (test.origin == "supplier_provided") & test.result.isin(["pass", "fail"])
        )
    )
    owned = tests.join(tables["skus"].select("sku_id", "market", "supplier_id"), ["sku_id", "market"])
    counted["golden_pass"] = _tallied(owned, ["supplier_id"], owned.result == "pass")
    if tables.has("certificates"):
        certificates = tables["certificates"].filter(lambda row: row.known_on < before)
        ended = certificates.group_by("supplier_id", "certificate_id").aggregate(
            refuted=certificates.status.isin(["out_of_scope", "denied", "withdrawn"]).any()
        )
        counted["refuted_certificate"] = _tallied(ended, ["supplier_id"], ended.refuted)
    if tables.has("reviews"):
        reviews = read_reviews(tables).filter(lambda row: row.known_on < before)
        rated = reviews.drop_null("rating")
        counted["low_rating"] = _tallied(rated, ["sku_id", "market"], rated.rating <= 2)
        counted["hazard_review"] = _tallied(reviews, ["sku_id", "market"], reviews.hazard)
    if tables.has("orders") and tables.has("returns"):
        flow = sales_and_returns(tables).filter(lambda row: row.known_on < before)
        for rate, column in UNITS.items():
            sold = flow.group_by("sku_id", "market").aggregate(hits=flow[column].sum(), trials=flow.sold.sum())
            counted[rate] = sold.mutate(hits=ibis.least(sold.hits, sold.trials)).select("hits", "trials")
    return counted


def _tallied(rows: ir.Table, keys: list[str], hit: ir.BooleanValue) -> ir.Table:
    marked = rows.select(*keys, hit=hit.ifelse(1, 0))
    return marked.group_by(keys).aggregate(hits=marked.hit.sum(), trials=marked.count()).select("hits", "trials")
