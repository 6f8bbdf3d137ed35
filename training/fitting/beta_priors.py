"""Beta priors of rates, from how much the shares of entities differ."""

import numpy as np

from features.fitted_tables import UNTRAINED_RATES, Prior
from training.metrics import Floats

FEWEST_GROUPS = 10
WEAKEST, STRONGEST = 0.5, 5000.0


def beta_prior(hits: Floats, trials: Floats, rate: str) -> Prior:
    """Beta prior (mean, strength) of `hits` of `trials` of each entity.

    The strength follows from the correlation inside entities in the spread of their shares (analysis of variance
    estimator; Kleinman, J. Am. Stat. Assoc. 68 (1973) 46), clipped between WEAKEST and STRONGEST.
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
