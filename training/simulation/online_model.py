"""The model of a simulation: a small LightGBM, refitted each round on the results known by then."""

from dataclasses import dataclass

import lightgbm
import numpy as np

from data.synthetic.simulator import MarketplaceSimulator
from training.metrics import Floats
from training.simulation.lab_records import LabRecords, LabTestBatch, Matrix

HALF_LIFE = 8  # rounds
SETTINGS = {
    "objective": "binary", "num_leaves": 15, "learning_rate": 0.06, "min_data_in_leaf": 20, "lambda_l2": 5.0,
    "max_bin": 63, "feature_fraction": 0.7, "num_threads": 1, "verbose": -1, "deterministic": True,
    "force_row_wise": True,
}  # fmt: skip
TREES = 80
SMOOTHING = 20


def observed_features(world: MarketplaceSimulator, records: LabRecords, now: int) -> Matrix:
    """Features of every row in round `now`: the listing, and the test history of supplier and cell."""
    history = records.cell_history(now)
    base_rate = (history.failures.sum() + 1) / (history.tests.sum() + 40)
    cell = (history.failures + SMOOTHING * base_rate) / (history.tests + SMOOTHING)
    rate, tests = records.supplier_rates(now, world.supplier, base_rate)
    columns = (cell[world.cell], rate, tests)
    return np.hstack([world.observed(), np.stack([c.astype(np.float32) for c in columns], axis=1)])


@dataclass(frozen=True)
class OnlineModel:
    """Model fitted on closed rounds; without one failure and one pass it predicts the base rate."""

    booster: lightgbm.Booster | None
    base_rate: float

    def p_fail(self, features: Matrix) -> Floats:
        """The probability of failing of each row of `features`."""
        if self.booster is None:
            return np.full(len(features), self.base_rate)
        return np.asarray(self.booster.predict(features, num_threads=1), dtype=np.float64)


def fit_online_model(closed: list[LabTestBatch], now: int, seed: int, resampled: bool = False) -> OnlineModel:
    """A model of the `closed` rounds, older ones weighing half every `HALF_LIFE` rounds.

    A screen's pass counts as a pass; a failure it detected represents those it misses too and weighs 1 / sensitivity,
    which leaves the gradients unbiased but for terms of the order of `p_fail` (Natarajan et al., NeurIPS 2013).
    `resampled` weights every test by a Poisson(1) count besides, which makes one member of a bootstrap ensemble.
    """
    if not closed:
        return OnlineModel(None, 0.03)
    failed = np.concatenate([batch.failed for batch in closed])
    if failed.all() or not failed.any():
        return OnlineModel(None, float((failed.sum() + 1) / (len(failed) + 40)))
    weight = np.concatenate([np.full(len(batch), 0.5 ** ((now - batch.round) / HALF_LIFE)) for batch in closed])
    if resampled:
        weight = weight * np.random.default_rng(seed).poisson(1.0, len(weight))
    weight = weight / np.where(failed, np.concatenate([batch.sensitivity for batch in closed]), 1.0)
    features = np.concatenate([batch.features for batch in closed])
    dataset = lightgbm.Dataset(features, failed.astype(np.float32), weight=weight, free_raw_data=True)
    booster = lightgbm.train({**SETTINGS, "seed": seed}, dataset, TREES)
    return OnlineModel(booster, float(np.average(failed, weights=weight)))
