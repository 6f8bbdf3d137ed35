"""What it does to a model that labels weigh by the inverse of their propensity: one booster with, one without."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from features.catalogue import FEATURE_NAMES
from training import metrics
from training.bootstrap import Skill, skill
from training.earning import DIRECTIONS, Earned, Study, lesson_of
from training.evaluation import Judged, numbers
from training.fit import fit_booster
from training.metrics import Floats
from training.recipe import Recipe
from training.selection import Stratum, logged_stratum


@dataclass(frozen=True)
class Ranked:
    """How one booster ranks: AUC on tests as chosen and weighed to the catalogue, and failures among the riskiest."""

    auc: Skill
    auc_of_catalogue: Skill
    failed: Skill

    def to_json(self) -> dict[str, Any]:
        """Numbers with their 95 % intervals."""
        told = {"auc": self.auc, "auc_of_catalogue": self.auc_of_catalogue, "failed": self.failed}
        return {key: value for name, each in told.items() for key, value in numbers(name, each).items()}


@dataclass(frozen=True)
class WeightingComparison:
    """Both boosters on the same tests; `failed_change` is failures found with weights over those without, less 1.

    `used` says whether the recipe weighs; `tests` is how many of the riskiest are looked at.
    """

    used: bool
    tests: int
    weighted: Ranked
    unweighted: Ranked
    failed_change: Skill

    def to_json(self) -> dict[str, Any]:
        """Numbers with their 95 % intervals."""
        return {
            "used": self.used, "tests": self.tests, "with": self.weighted.to_json(),
            "without": self.unweighted.to_json(), **numbers("failed_change", self.failed_change),
        }  # fmt: skip


def weighting_comparison(study: Study, earned: Earned, judged: Judged, recipe: Recipe) -> WeightingComparison:
    """Fit the booster once more, weighing labels as the recipe does not, and rank the test rows by both."""
    train, test = study.split.train, study.split.test
    used = recipe.weights.propensity
    other = replace(recipe, weights=replace(recipe.weights, propensity=not used))
    taught = study.labels.iloc[train]
    lesson = lesson_of(taught, study.matrix(train), other)
    if earned.tester.counted:
        lesson = replace(lesson, offset=earned.tester.offset(taught["lab_id"]))
    matrix = study.matrix(test)
    refitted = fit_booster(lesson, FEATURE_NAMES, DIRECTIONS, recipe, earned.trees)
    margins = (earned.margin(matrix), np.asarray(refitted.predict(matrix, raw_score=True), dtype=np.float64))
    logged, depth = logged_stratum(study.labels.iloc[test]), min(judged.budget, len(test)) / len(test)
    weighted, unweighted = (_values(margin, judged, logged, depth) for margin in (margins if used else margins[::-1]))
    change = weighted[2] / np.where(unweighted[2] > 0, unweighted[2], np.nan) - 1
    tests = min(judged.budget, len(test))
    return WeightingComparison(used, tests, _ranked(weighted, tests), _ranked(unweighted, tests), skill(change))


def _values(margin: Floats, judged: Judged, logged: Stratum, depth: float) -> tuple[Floats, Floats, Floats]:
    """AUC, AUC of the catalogue and fail rate of the riskiest, under every bootstrap weighting."""
    ranks = metrics.ranking(margin, judged.failed)
    rows = logged.rows
    of_catalogue = (
        metrics.auc(metrics.ranking(margin[rows], judged.failed[rows]), judged.weights[:, rows] * logged.weights)
        if len(rows) else np.full(len(judged.weights), np.nan)
    )  # fmt: skip
    return metrics.auc(ranks, judged.weights), of_catalogue, metrics.rate_of_riskiest(ranks, judged.weights, depth)


def _ranked(values: tuple[Floats, Floats, Floats], tests: int) -> Ranked:
    return Ranked(skill(values[0]), skill(values[1]), skill(values[2], scale=tests))
