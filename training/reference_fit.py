"""The learned reference: what features and reasons need to know of the world, fitted on labels before a day."""

from dataclasses import replace
from datetime import date

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from data.lake.tables import Tables
from features.reference import SCHEMAS, Prior, Reference, rates_table
from training.metrics import Floats
from training.rates import fit_rates
from training.recipe_sections import TitleRecipe
from training.splits import Rows
from training.title_words import fit_title_words, out_of_fold_signals, texts_of, title_signals

LEARNED_FROM_LABELS = ("title_signal", "category_fail_rate_learned")
"""Features that look a row's own label up unless they are learned without it."""


def fit_reference(tables: Tables, labels: pd.DataFrame, until: date, recipe: TitleRecipe) -> Reference:
    """Rates, categories and title words from `labels` (all known before `until`); the norms come with the features."""
    rates = fit_rates(tables, labels, until)
    return Reference({
        "rates": rates_table(rates),
        "categories": _categories(tables, labels, until, rates["category_fail"]),
        "title_words": fit_title_words(texts_of(labels["title_key"]), labels["failed"].to_numpy(), recipe),
    })  # fmt: skip


def out_of_fold(labels: pd.DataFrame, parts: Rows, prior: Prior, recipe: TitleRecipe) -> pd.DataFrame:
    """The columns LEARNED_FROM_LABELS for labels that teach, each learned without its part.

    `parts` (n) numbers the part that each row's group belongs to, `prior` is that of a category's fail rate. Without
    this the columns would tell the label.
    """
    rates = np.full(len(labels), np.nan)
    for part in np.unique(parts):
        own = parts == part
        rates[own] = _rates_of(labels[own], category_rates(labels[~own], prior))
    signals = out_of_fold_signals(labels, parts, recipe)
    return pd.DataFrame({"title_signal": signals, "category_fail_rate_learned": rates}, index=labels.index)


def looked_up(asked: pd.DataFrame, labels: pd.DataFrame, prior: Prior, recipe: TitleRecipe) -> pd.DataFrame:
    """The columns LEARNED_FROM_LABELS for the rows `asked`, learned from `labels`, as scoring would look them up."""
    words = fit_title_words(texts_of(labels["title_key"]), labels["failed"].to_numpy(), recipe)
    return pd.DataFrame({
        "title_signal": title_signals(texts_of(asked["title_key"]), words),
        "category_fail_rate_learned": _rates_of(asked, category_rates(labels, prior)),
    }, index=asked.index)  # fmt: skip


def _rates_of(asked: pd.DataFrame, learned: pd.DataFrame) -> Floats:
    keys = pd.MultiIndex.from_frame(asked[["category", "market"]])
    return np.asarray(learned["fail_rate"].reindex(keys), dtype=np.float64)


def with_norms(reference: Reference, categories: "pd.Series[str]", features: pd.DataFrame) -> Reference:
    """`reference` with the median of each feature in each category; medians of nothing are left out."""
    medians = features.groupby(categories.to_numpy()).median().copy()
    long = medians.rename_axis("category").reset_index().melt("category", var_name="feature", value_name="median")
    norms = pa.Table.from_pandas(long.dropna(subset=["median"]), schema=SCHEMAS["norms"], preserve_index=False)
    return replace(reference, tables={**reference.tables, "norms": norms})


def category_rates(labels: pd.DataFrame, prior: Prior) -> pd.DataFrame:
    """`tests` and smoothed `fail_rate` by (category, market)."""
    seen = labels.groupby(["category", "market"])["failed"].agg(tests="count", fails="sum")
    rate = (seen["fails"] + prior.mean * prior.strength) / (seen["tests"] + prior.strength)
    return pd.DataFrame({"tests": seen["tests"], "fail_rate": rate})


def _categories(tables: Tables, labels: pd.DataFrame, until: date, prior: Prior) -> pa.Table:
    skus = tables["skus"]
    listed = skus.filter(skus.listed_on < ibis.date(until.isoformat()))
    log_price = (listed.price_eur > 0).ifelse(listed.price_eur, None).ln()
    priced = listed.select("sku_id", "category", "market", log_price=log_price)
    ordered = priced.order_by("category", "market", "log_price").select("category", "market", "log_price")
    prices: pd.DataFrame = tables.backend.to_pyarrow(ordered).to_pandas()
    prices["log_price"] = prices["log_price"].astype(float)
    usual = prices.groupby(["category", "market"])["log_price"].agg(log_price_mean="mean", log_price_sd="std")
    table = usual.join(category_rates(labels, prior), how="left").reset_index()
    table["tests"] = table["tests"].fillna(0).astype("int64")
    return pa.Table.from_pandas(table, schema=SCHEMAS["categories"], preserve_index=False)


def matrix_of(features: pd.DataFrame) -> Floats:
    """The features as one row-major float64 array."""
    return np.ascontiguousarray(features.to_numpy(dtype=np.float64))
