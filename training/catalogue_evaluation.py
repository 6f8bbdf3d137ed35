"""How a model fares on the catalogue and not only on the tests that suspicion chose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from training import metrics
from training.bootstrap import Skill, skill, supplier_weights
from training.evaluation import Claim, numbers
from training.metrics import Floats, Truths
from training.selection import Stratum, logged_stratum, random_stratum, reasons_of_testing


@dataclass(frozen=True)
class StratumSkills:
    """One stratum: its tests, as how many equally weighted ones they count, and the skills of each claim on it."""

    tests: int
    failures: int
    effective: float
    base_rate: Skill
    claims: Mapping[str, Mapping[str, Skill]]

    def to_json(self) -> dict[str, Any]:
        """Numbers with their 95 % intervals; None where they cannot be told."""
        return {
            "n": self.tests, "failures": self.failures, "effective": self.effective,
            **numbers("base_rate", self.base_rate),
            "claims": {
                claim: {key: value for name, each in skills.items() for key, value in numbers(name, each).items()}
                for claim, skills in self.claims.items()
            },
        }  # fmt: skip


@dataclass(frozen=True)
class CatalogueEvaluation:
    """The same claims on the tests as they were chosen, on the random ones, and on all that propensities weigh.

    `reasons` counts why the tests were made (see `selection.reasons_of_testing`).
    """

    targeted: StratumSkills
    random: StratumSkills
    logged: StratumSkills
    reasons: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """One entry for each stratum, and `reasons`."""
        strata = {"targeted": self.targeted, "random": self.random, "logged": self.logged}
        return {**{name: each.to_json() for name, each in strata.items()}, "reasons": dict(self.reasons)}


def catalogue_evaluation(
    tests: pd.DataFrame, claims: Mapping[str, Claim], replicates: int, seed: int
) -> CatalogueEvaluation:
    """Judge `claims` (by name) on `tests` (failed, supplier_id, strategy, propensity), their rows in the same order.

    A weighted skill estimates what the claim's skill would be if every SKU of the catalogue had been tested; it
    counts each test 1 / propensity times. Intervals resample suppliers.
    """
    drawn = supplier_weights(tests["supplier_id"].tolist(), replicates, seed)
    failed = tests["failed"].to_numpy(dtype=np.bool_)
    whole = Stratum(np.arange(len(tests)), np.ones(len(tests)))
    targeted, at_random, logged = (
        _judged(stratum, claims, failed, drawn) for stratum in (whole, random_stratum(tests), logged_stratum(tests))
    )
    return CatalogueEvaluation(targeted, at_random, logged, reasons_of_testing(tests))


def _judged(stratum: Stratum, claims: Mapping[str, Claim], failed: Truths, drawn: Floats) -> StratumSkills:
    rows = stratum.rows
    weights = drawn[:, rows] * stratum.weights
    outcomes = failed[rows]
    told = {name: _skills(Claim(each.margin[rows], each.p_fail[rows]), outcomes, weights)
            for name, each in claims.items()} if len(rows) else {}  # fmt: skip
    base_rate = skill(metrics.base_rate(outcomes, weights))
    return StratumSkills(len(rows), int(outcomes.sum()), stratum.effective, base_rate, told)


def _skills(claim: Claim, failed: Truths, weights: Floats) -> Mapping[str, Skill]:
    ranks = metrics.ranking(claim.margin, failed)
    slope, intercept = metrics.calibration_line(claim.p_fail, failed, weights)
    values = {
        "auc": metrics.auc(ranks, weights),
        "average_precision": metrics.average_precision(ranks, weights),
        "brier": metrics.brier(claim.p_fail, failed, weights),
        "log_loss": metrics.log_loss(claim.p_fail, failed, weights),
        "slope": slope,
        "intercept": intercept,
        "expected_per_observed": metrics.expected_per_observed(claim.p_fail, failed, weights),
    }
    return {name: skill(value) for name, value in values.items()}
