"""Inverse-propensity weights: why SKUs were tested, and how many SKUs of the catalogue each test represents."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.metrics import Floats, Truths

CATALOGUE_STRATEGIES = ("random", "model", "rule")
"""Strategies that could have sampled any SKU; mandatory and follow-up tests sample a part of the catalogue."""

MOST_TIMES_MEDIAN = 20.0
"""Largest weight in multiples of the median one, where too few random tests give a better limit."""

FEWEST_RANDOM = 20


@dataclass(frozen=True)
class WeightedStratum:
    """Tests that represent the catalogue: row numbers and weights (Hajek: 1 / propensity), scaled to a mean of 1."""

    rows: npt.NDArray[np.int64]
    weights: Floats

    @property
    def effective(self) -> float:
        """Effective sample size: equally weighted tests of the same precision (Kish 1965)."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum()) if len(self.rows) else 0.0

    def dense_weights(self, count: int) -> Floats:
        """Weights (count,) of all rows, 0 outside the stratum."""
        dense = np.zeros(count)
        dense[self.rows] = self.weights
        return dense


def random_stratum(labels: pd.DataFrame) -> WeightedStratum:
    """Tests sampled at random with a logged propensity, each representing 1 / propensity SKUs of its round.

    `labels` has the columns strategy and propensity. Source: Hajek, in Foundations of Statistical Inference (1971) 236.
    """
    return _stratum(labels, _has_propensity(labels) & _has_strategy(labels, "random"), np.inf)


def logged_stratum(labels: pd.DataFrame) -> WeightedStratum:
    """Tests of every strategy that could have sampled any SKU, each representing 1 / propensity SKUs.

    No SKU of a round with a random share is sampled less often than by that share, so no weight exceeds the median
    weight of the random tests; without `FEWEST_RANDOM` of those, none exceeds `MOST_TIMES_MEDIAN` times the median.
    """
    chosen = _has_propensity(labels) & _has_strategy(labels, *CATALOGUE_STRATEGIES)
    weights = _inverse_propensity(labels)
    at_random = chosen & _has_strategy(labels, "random")
    if at_random.sum() >= FEWEST_RANDOM:
        return _stratum(labels, chosen, float(np.median(weights[at_random])))
    return _stratum(labels, chosen, MOST_TIMES_MEDIAN * float(np.median(weights[chosen])) if chosen.any() else np.inf)


def training_weights(labels: pd.DataFrame, most_times_median: float = MOST_TIMES_MEDIAN) -> Floats:
    """Weight (n, mean 1) of every label: 1 / propensity, at most `most_times_median` times the median one.

    A label without a propensity has the median weight. Source: Cole and Hernan, Am. J. Epidemiol. 168 (2008) 656.
    """
    known = _has_propensity(labels)
    if not known.any():
        return np.ones(len(labels))
    weights = _inverse_propensity(labels)
    middle = float(np.median(weights[known]))
    weights = np.minimum(np.where(known, weights, middle), most_times_median * middle)
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def count_test_reasons(labels: pd.DataFrame) -> Mapping[str, int]:
    """Counts of labels: random, otherwise weighted, from a part of the catalogue, of unknown propensity.

    The last two are left out of every weighted number.
    """
    known, at_random = _has_propensity(labels), _has_strategy(labels, "random")
    whole = _has_strategy(labels, *CATALOGUE_STRATEGIES)
    return {
        "random": int((known & at_random).sum()),
        "targeted": int((known & whole & ~at_random).sum()),
        "part_of_catalogue": int((known & ~whole).sum()),
        "unknown": int((~known).sum()),
    }


def _stratum(labels: pd.DataFrame, chosen: Truths, most: float) -> WeightedStratum:
    rows = np.flatnonzero(chosen)
    weights = np.minimum(_inverse_propensity(labels)[rows], most)
    return WeightedStratum(rows, weights / weights.mean() if len(rows) else weights)


def _inverse_propensity(labels: pd.DataFrame) -> Floats:
    """1 / propensity (n), at most 1e9; NaN where unknown."""
    return np.asarray(1 / np.maximum(labels["propensity"].to_numpy(np.float64, na_value=np.nan), 1e-9))


def _has_propensity(labels: pd.DataFrame) -> Truths:
    """Whether strategy and a positive propensity were logged."""
    propensity = labels["propensity"].to_numpy(np.float64, na_value=np.nan)
    return np.asarray((propensity > 0) & labels["strategy"].notna().to_numpy(bool), dtype=np.bool_)


def _has_strategy(labels: pd.DataFrame, *strategies: str) -> Truths:
    return np.asarray(labels["strategy"].isin(strategies), dtype=np.bool_)
