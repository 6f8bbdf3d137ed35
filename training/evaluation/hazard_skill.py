"""Evaluation of what would fail: the log loss of hazards on held-out failures, beside that of the category alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.hazard_shares import CELL, read_hazard_shares
from models.risk_levels import UNKNOWN
from training.dataset.splits import Rows
from training.evaluation.skill import metrics_to_json
from training.fitting.model import TrainingSet
from training.metrics import Floats, MetricWithInterval, metric_with_interval, supplier_weights
from training.recipe import Recipe


@dataclass(frozen=True)
class HazardEvaluation:
    """Skill on the `failures` of the test rows whose hazard and category failed before; `left_out` are the others.

    Log losses in nats, smaller is better, and `gain` of the model over its category alone; `likeliest_right` is the
    share of failures by the likeliest hazard.
    """

    failures: int
    left_out: int
    log_loss: float
    category_log_loss: float
    gain: MetricWithInterval
    likeliest_right: float

    def to_json(self) -> dict[str, Any]:
        """The metrics, the gain with its 95 % interval over suppliers."""
        values = {name: value for name, value in vars(self).items() if name != "gain"}
        return {**values, **metrics_to_json({"gain": self.gain})}


def evaluate_hazards(training_set: TrainingSet, recipe: Recipe) -> HazardEvaluation | None:
    """Evaluate the hazards that training learned; None where no held-out failure can be evaluated."""
    rows = training_set.split.test[training_set.failed(training_set.split.test)]
    tests = training_set.labels.iloc[rows]
    shares = read_hazard_shares(training_set.reference, list(training_set.features.columns))
    if shares is None:
        return None
    hazard = {name: code for code, name in enumerate(shares.hazards)}
    observed = np.array([hazard.get(name, UNKNOWN) for name in tests["hazard"]], dtype=np.int64)
    cells = shares.cells(tests[list(CELL)].itertuples(index=False, name=None))
    known = np.flatnonzero((observed != UNKNOWN) & (cells != UNKNOWN))
    if not len(known):
        return None
    matrix = training_set.matrix(rows[known])
    predicted = shares.evidence.tilt(shares.shares[cells[known]], matrix[:, shares.evidence.columns])
    of_category = shares.shares[shares.cells((category,) for category in tests["category"].iloc[known])]
    loss, before = (_log_losses(each, observed[known]) for each in (predicted, of_category))
    weights = supplier_weights(tests["supplier_id"].iloc[known].tolist(), recipe.evaluation.replicates, recipe.seed)
    with np.errstate(invalid="ignore"):
        gain = metric_with_interval(weights @ (before - loss) / weights.sum(axis=1))
    right = float((predicted.argmax(axis=1) == observed[known]).mean())
    return HazardEvaluation(
        len(known), len(tests) - len(known), float(loss.mean()), float(before.mean()), gain, right
    )  # fmt: skip


def _log_losses(shares: Floats, observed: Rows) -> Floats:
    losses: Floats = -np.log(shares[np.arange(len(observed)), observed])
    return losses
