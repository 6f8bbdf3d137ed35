"""Drift of features and margins: bins fixed in training, and the population stability index over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from data.lake.tables import Tables
from features.fitted_tables import SCHEMAS, FittedTables
from features.point_in_time import feature_frame
from features.registry import features_of
from features.snapshot.writer import catalogue_on
from training.fitting.target_encoding import feature_matrix
from training.metrics import Floats

MOST_SKUS = 20_000


@dataclass(frozen=True)
class CatalogueSample:
    """SKUs sampled from the catalogue of `as_of`: `keys` (sku_id, market) and their features, a row each.

    `size` is the number of SKUs that the catalogue has.
    """

    as_of: date
    size: int
    keys: pd.DataFrame
    matrix: Floats


def sample_catalogue(
    tables: Tables, as_of: date, reference: FittedTables, seed: int, most: int = MOST_SKUS
) -> CatalogueSample:
    """Simple random sample of at most `most` SKUs listed by `as_of`, with the features of that day.

    The same tables, day and seed give the same SKUs in the same order, by key.
    """
    listed = catalogue_on(tables, as_of).select("sku_id", "market").order_by(["sku_id", "market"])
    keys: pd.DataFrame = tables.backend.to_pyarrow(listed).to_pandas()
    size = len(keys)
    if size > most:
        sampled = np.sort(np.random.default_rng(seed).choice(size, most, replace=False))
        keys = keys.iloc[sampled].reset_index(drop=True)
    features = feature_frame(tables, keys.assign(as_of=pd.Timestamp(as_of)), reference)
    return CatalogueSample(as_of, size, keys, feature_matrix(features[list(features_of(reference).names)]))


BINS = 10
MARGIN = "margin"
"""Name under which the model's margins are monitored like a feature."""

LEAST_SHARE = 1e-4
"""Share of an empty bin, so that the index stays finite."""


@dataclass(frozen=True)
class Drift:
    """Drift of one feature.

    `psi` is its index against the catalogue of training's last day, `from_labels` that against the training labels;
    `missing_then` and `missing_now` are shares of unknown values.
    """

    feature: str
    psi: float
    from_labels: float
    missing_then: float
    missing_now: float


def drift_bins(names: Sequence[str], labelled: Floats, catalogue: Floats) -> pa.Table:
    """Fitted table `frame`: bins of each feature, with the share of either matrix in each.

    `labelled` (n, f) are the training rows and `catalogue` (m, f) the catalogue on the last day known; `upper` is a
    bin's upper end, included, infinite for the highest; unknown values are the last bin, whose `upper` is null.
    """
    rows: dict[str, list[object]] = {name: [] for name in SCHEMAS["frame"].names}
    for column, name in enumerate(names):
        upper = _upper_ends(catalogue[:, column])
        shares = zip(upper, _shares(labelled[:, column], upper), _shares(catalogue[:, column], upper), strict=True)
        for number, (end, of_labels, of_catalogue) in enumerate(shares):
            values = (name, number, None if np.isnan(end) else end, of_labels, of_catalogue)
            for key, value in zip(rows, values, strict=True):
                rows[key].append(value)
    return pa.table(rows, schema=SCHEMAS["frame"])


def measure_drift(bins_table: pa.Table, names: Sequence[str], today: Floats) -> tuple[Drift, ...]:
    """Drift of each of `names`, the columns of `today` (n, f), since training; largest index first."""
    bins = _bins_by_feature(bins_table)
    result = [_drift(name, bins[name], today[:, column]) for column, name in enumerate(names) if name in bins]
    return tuple(sorted(result, key=lambda each: -each.psi))


def stability_index(expected: Floats, observed: Floats) -> float:
    """Population stability index of two arrays of shares: 0 is no change, above 0.25 usually called a shift.

    Source: Siddiqi, Credit Risk Scorecards (2006); it is the symmetric Kullback-Leibler divergence.
    """
    before, after = np.maximum(expected, LEAST_SHARE), np.maximum(observed, LEAST_SHARE)
    before, after = before / before.sum(), after / after.sum()
    return float(np.sum((after - before) * np.log(after / before)))


def _bins_by_feature(bins_table: pa.Table) -> Mapping[str, Mapping[str, Floats]]:
    columns = {name: bins_table[name].to_numpy() for name in ("upper", "trained", "catalogue")}
    features = bins_table["feature"].to_pylist()
    rows: dict[str, list[int]] = {}
    for row, feature in enumerate(features):
        rows.setdefault(feature, []).append(row)
    return {feature: {name: column[own] for name, column in columns.items()} for feature, own in rows.items()}


def _drift(name: str, bins: Mapping[str, Floats], values: Floats) -> Drift:
    now = _shares(values, bins["upper"])
    return Drift(
        name, stability_index(bins["catalogue"], now), stability_index(bins["trained"], now),
        float(bins["catalogue"][-1]), float(now[-1]),
    )  # fmt: skip


def _upper_ends(values: Floats) -> Floats:
    """Ends of at most BINS bins of about equal share, infinity, and NaN for unknown values."""
    known = values[~np.isnan(values)]
    inner = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.empty(0)
    return np.concatenate([inner, [np.inf, np.nan]])


def _shares(values: Floats, upper: Floats) -> Floats:
    """The share of `values` in each bin; all 0 where there is no value."""
    known = values[~np.isnan(values)]
    position = np.searchsorted(upper[:-1], known, side="left")
    counts = np.r_[np.bincount(position, minlength=len(upper) - 1), len(values) - len(known)]
    return np.asarray(counts / max(len(values), 1), dtype=np.float64)
