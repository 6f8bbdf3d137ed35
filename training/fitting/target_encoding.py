"""Fitted tables: priors of rates, target-encoded categories and title words (out of fold for training), norms."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

from data.lake.report_versions import current_tests
from data.lake.tables import Tables
from features.fitted_tables import SCHEMAS, FittedTables, Prior, rates_table
from features.groups.reviews import read_reviews
from features.groups.sales_and_returns import sales_and_returns
from features.groups.titles import MILLION
from training.dataset.splits import Rows
from training.fitting.beta_priors import beta_prior
from training.fitting.own_rates import own_priors, own_rate_columns, own_rates
from training.metrics import Floats, Truths
from training.recipe_schema import TitleRecipe

ENTITY_KEYS: Mapping[str, tuple[str, ...]] = {
    "supplier_fail": ("supplier_id",),
    "factory_fail": ("factory_id",),
    "category_fail": ("category", "market"),
    "sku_fail": ("sku_id", "market"),
    "title_fail": ("title_key",),
}
UNITS = {"return": "returned", "safety_return": "safety", "quality_return": "quality", "deception_return": "deception"}


def fit_rates(tables: Tables, labels: pd.DataFrame, until: date) -> Mapping[str, Prior]:
    """Prior of every rate in UNTRAINED_RATES, from `labels` and from what `tables` knew before `until`.

    A rate with fewer than FEWEST_GROUPS entities of two or more rows has its untrained prior.
    """
    fitted = {rate: label_prior(labels, rate) for rate in ENTITY_KEYS}
    critical = labels.assign(failed=labels["failed"] & (labels["severity"] == "critical"))
    fitted["critical_fail"] = label_prior(critical, "critical_fail")
    for rate, counted in _count_by_entity(tables, until).items():
        tallies = tables.backend.to_pyarrow(counted).to_pandas()
        fitted[rate] = beta_prior(tallies["hits"].to_numpy(float), tallies["trials"].to_numpy(float), rate)
    return fitted


def label_prior(labels: pd.DataFrame, rate: str) -> Prior:
    """Prior of a rate that the labels alone determine: of an entity of ENTITY_KEYS, or of the supplier."""
    keys = list(ENTITY_KEYS.get(rate, ("supplier_id",)))
    by_entity = labels.dropna(subset=keys).groupby(keys)["failed"].agg(["sum", "count"])
    return beta_prior(by_entity["sum"].to_numpy(float), by_entity["count"].to_numpy(float), rate)


def _count_by_entity(tables: Tables, until: date) -> Mapping[str, ir.Table]:
    """Table of hits and trials per entity known before `until`, of each rate that other tables than the labels give."""
    before = ibis.date(until.isoformat())
    counted: dict[str, ir.Table] = {}
    tests = current_tests(tables["lab_tests"], until).filter(
        lambda test: (test.origin == "supplier_provided") & test.result.isin(["pass", "fail"])
    )
    owned = tests.join(tables["skus"].select("sku_id", "market", "supplier_id"), ["sku_id", "market"])
    counted["golden_pass"] = _tally(owned, ["supplier_id"], owned.result == "pass")
    if tables.has("certificates"):
        certificates = tables["certificates"].filter(lambda row: row.known_on < before)
        ended = certificates.group_by("supplier_id", "certificate_id").aggregate(
            refuted=certificates.status.isin(["out_of_scope", "denied", "withdrawn"]).any()
        )
        counted["refuted_certificate"] = _tally(ended, ["supplier_id"], ended.refuted)
    if tables.has("reviews"):
        reviews = read_reviews(tables).filter(lambda row: row.known_on < before)
        rated = reviews.drop_null("rating")
        counted["low_rating"] = _tally(rated, ["sku_id", "market"], rated.rating <= 2)
        counted["hazard_review"] = _tally(reviews, ["sku_id", "market"], reviews.hazard)
    if tables.has("orders") and tables.has("returns"):
        flow = sales_and_returns(tables).filter(lambda row: row.known_on < before)
        for rate, column in UNITS.items():
            sold = flow.group_by("sku_id", "market").aggregate(hits=flow[column].sum(), trials=flow.sold.sum())
            counted[rate] = sold.mutate(hits=ibis.least(sold.hits, sold.trials)).select("hits", "trials")
    return counted


def _tally(rows: ir.Table, keys: list[str], hit: ir.BooleanValue) -> ir.Table:
    marked = rows.select(*keys, hit=hit.ifelse(1, 0))
    return marked.group_by(keys).aggregate(hits=marked.hit.sum(), trials=marked.count()).select("hits", "trials")


def fit_title_words(titles: Sequence[str | None], failed: Truths, recipe: TitleRecipe) -> pa.Table:
    """Table `title_words` (word, weight in log-odds), fitted on title keys and their outcomes.

    Ridge logistic regression on the title's distinct words, each as 1 / sqrt(number of words), so that the sum of a
    title's weights over that root is its signal, as the feature computes it. Weights are whole millionths.
    Words in fewer than `fewest_titles` different titles are left out; without a word, or with one class, the
    table is empty.
    """
    words = [_words(title) for title in titles]
    vocabulary = _vocabulary(titles, recipe)
    if not vocabulary or len(np.unique(failed)) < 2:
        return SCHEMAS["title_words"].empty_table()
    model = LogisticRegression(C=1 / recipe.ridge, max_iter=1000)
    model.fit(_design(words, vocabulary), failed)
    weights = np.round(model.coef_[0] * MILLION) / MILLION
    return pa.table({"word": list(vocabulary), "weight": weights}, schema=SCHEMAS["title_words"])


def title_signals(titles: Sequence[str | None], learned: pa.Table) -> Floats:
    """Signal of each title key under the `learned` words, as the feature `title_signal`; NaN without a word."""
    weights = dict(zip(learned["word"].to_pylist(), learned["weight"].to_pylist(), strict=True))
    return np.asarray([_signal(_words(title), weights) for title in titles], dtype=np.float64)


def out_of_fold_signals(labels: pd.DataFrame, parts: "np.typing.NDArray[np.int64]", recipe: TitleRecipe) -> Floats:
    """Signal of each labelled row (title_key, failed) under words fitted without its part and its title.

    `parts` (n) is the fold of each row's group.
    """
    titles, failed = labels["title_key"], labels["failed"].to_numpy()
    signals = np.full(len(labels), np.nan)
    for part in np.unique(parts):
        own = parts == part
        others = ~own & ~titles.isin(titles[own].dropna()).to_numpy()
        learned = fit_title_words(title_texts(titles[others]), failed[others], recipe)
        signals[own] = title_signals(title_texts(titles[own]), learned)
    return signals


def title_texts(titles: "pd.Series[str]") -> list[str | None]:
    """Title keys as texts, None where there is none."""
    return [title if isinstance(title, str) else None for title in titles]


def _words(title: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(title.split(" "))) if isinstance(title, str) else ()


def _signal(words: Sequence[str], weights: dict[str, float]) -> float:
    known = [weights[word] for word in words if word in weights]
    if not known:
        return float("nan")
    return float(sum(round(weight * MILLION) for weight in known) / MILLION / np.sqrt(len(words)))


def _vocabulary(titles: Sequence[str | None], recipe: TitleRecipe) -> dict[str, int]:
    spread = Counter(word for title in {title for title in titles if isinstance(title, str)} for word in _words(title))
    ranked = sorted((-count, word) for word, count in spread.items() if count >= recipe.fewest_titles)
    return {word: column for column, word in enumerate(sorted(word for _, word in ranked[: recipe.most_words]))}


def _design(words: Sequence[Sequence[str]], vocabulary: dict[str, int]) -> csr_array:
    entries = [
        (row, vocabulary[word], 1 / np.sqrt(len(each)))
        for row, each in enumerate(words)
        for word in each
        if word in vocabulary
    ]
    rows, columns, values = zip(*entries, strict=True)
    return csr_array((values, (rows, columns)), shape=(len(words), len(vocabulary)))


LEARNED_FROM_LABELS = ("title_signal", "category_fail_rate_learned")
"""Target-encoded features of the registry, which must be fitted out of fold for training rows."""


def learned_from_labels(reference: FittedTables) -> frozenset[str]:
    """The names of all target-encoded features: of the registry, and own choices and codes."""
    return frozenset(LEARNED_FROM_LABELS) | {each.name for each in reference.own if each.is_encoded}


def fit_reference(tables: Tables, labels: pd.DataFrame, until: date, recipe: TitleRecipe) -> FittedTables:
    """Fitted tables of rates, categories and title words from `labels` (all known before `until`), without norms."""
    rates = {**fit_rates(tables, labels, until), **own_priors(labels)}
    return FittedTables({
        "rates": rates_table(rates),
        "own_rates": own_rates(labels),
        "categories": _categories(tables, labels, until, rates["category_fail"]),
        "title_words": fit_title_words(title_texts(labels["title_key"]), labels["failed"].to_numpy(), recipe),
    }, tables.own_features)  # fmt: skip


def out_of_fold(labels: pd.DataFrame, parts: Rows, prior: Prior, recipe: TitleRecipe) -> pd.DataFrame:
    """Columns LEARNED_FROM_LABELS and own codes of training labels, each row encoded without its fold.

    `parts` (n) is the fold of each row's group, `prior` that of a category's fail rate. Otherwise the columns would
    leak the label.
    """
    rates, codes = np.full(len(labels), np.nan), []
    for part in np.unique(parts):
        own = parts == part
        rates[own] = _category_rate_column(labels[own], category_rates(labels[~own], prior))
        codes.append(own_rate_columns(labels[own], labels[~own]))
    signals = out_of_fold_signals(labels, parts, recipe)
    learned = pd.DataFrame({"title_signal": signals, "category_fail_rate_learned": rates}, index=labels.index)
    return pd.concat([learned, pd.concat(codes).reindex(labels.index)], axis=1)


def look_up_rates(rows: pd.DataFrame, labels: pd.DataFrame, prior: Prior, recipe: TitleRecipe) -> pd.DataFrame:
    """Columns LEARNED_FROM_LABELS and own codes of `rows`, fitted on `labels`, as scoring looks them up."""
    words = fit_title_words(title_texts(labels["title_key"]), labels["failed"].to_numpy(), recipe)
    return pd.DataFrame({
        "title_signal": title_signals(title_texts(rows["title_key"]), words),
        "category_fail_rate_learned": _category_rate_column(rows, category_rates(labels, prior)),
        **own_rate_columns(rows, labels),
    }, index=rows.index)  # fmt: skip


def _category_rate_column(rows: pd.DataFrame, learned: pd.DataFrame) -> Floats:
    keys = pd.MultiIndex.from_frame(rows[["category", "market"]])
    return np.asarray(learned["fail_rate"].reindex(keys), dtype=np.float64)


def with_norms(reference: FittedTables, categories: "pd.Series[str]", features: pd.DataFrame) -> FittedTables:
    """`reference` with the table `norms`: the median of each feature in each category, without empty medians."""
    medians = features.groupby(categories.to_numpy()).median().copy()
    long = medians.rename_axis("category").reset_index().melt("category", var_name="feature", value_name="median")
    norms = pa.Table.from_pandas(long.dropna(subset=["median"]), schema=SCHEMAS["norms"], preserve_index=False)
    return replace(reference, tables={**reference.tables, "norms": norms})


def category_rates(labels: pd.DataFrame, prior: Prior) -> pd.DataFrame:
    """Table of `tests` and smoothed `fail_rate` by (category, market)."""
    tallies = labels.groupby(["category", "market"])["failed"].agg(tests="count", fails="sum")
    rate = (tallies["fails"] + prior.mean * prior.strength) / (tallies["tests"] + prior.strength)
    return pd.DataFrame({"tests": tallies["tests"], "fail_rate": rate})


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


def feature_matrix(features: pd.DataFrame) -> Floats:
    """The features as one row-major float64 array."""
    return np.ascontiguousarray(features.to_numpy(dtype=np.float64))
