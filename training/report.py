"""The evaluation of one trained model: its metrics beside its baselines, and what the pictures show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.catalogue import FEATURE_NAMES
from models.coverage import interval_coverage
from models.treeshap import compile_model
from training.baselines import baseline_margins
from training.bootstrap import supplier_weights
from training.earning import Earned, Study
from training.evaluation import (
    Claim,
    Judged,
    calibration_of,
    mean_contributions,
    months_of,
    platt,
    sigmoid,
    skills,
)
from training.metrics import Floats, Truths
from training.recipe import Recipe
from training.splits import Rows

COVERAGE_BINS = 10


@dataclass(frozen=True)
class Evaluation:
    """Metrics ready for JSON, and per test row: `failed`, raw and calibrated probabilities, margins by ranking."""

    metrics: Mapping[str, Any]
    failed: Truths
    raw_p_fail: Floats
    p_fail: Floats
    margins: Mapping[str, Floats]


def evaluated(study: Study, earned: Earned, recipe: Recipe, fingerprint: str) -> Evaluation:
    """Judge the model and every baseline on the test rows of the study."""
    test = study.split.test
    tests = study.labels.iloc[test]
    judged = Judged(
        study.failed(test), supplier_weights(tests["supplier_id"].tolist(), recipe.evaluation.replicates, recipe.seed)
    )
    matrix = study.matrix(test)
    margin = earned.margin(matrix)
    p_fail, raw = earned.calibration.p_fail(margin), sigmoid(margin)
    claims = _baselines(study)
    explained = np.asarray(compile_model(earned.booster.dump_model()).contributions(matrix).values, dtype=np.float64)
    metrics = {
        **skills(Claim(margin, p_fail), judged),
        "baselines": {name: skills(claim, judged) for name, claim in claims.items()},
        "calibration": {"before": calibration_of(raw, judged), "after": calibration_of(p_fail, judged)},
        "interval_coverage": _coverage(margin, judged.failed, earned),
        "months": months_of(tests["as_of"], p_fail, judged.failed),
        "contributions": mean_contributions(explained, FEATURE_NAMES),
        "data": _data(study, earned, recipe, fingerprint),
    }
    margins = {"model": margin, **{name: claim.margin for name, claim in claims.items()}}
    return Evaluation(metrics, judged.failed, raw, p_fail, margins)


def _baselines(study: Study) -> Mapping[str, Claim]:
    """The claims of every baseline on the test rows, its probabilities calibrated on the calibration rows."""
    split, features = study.split, study.features
    asked = np.concatenate([split.calibration, split.test])
    margins = baseline_margins(features.iloc[split.train], study.failed(split.train), features.iloc[asked])
    seen, happened = len(split.calibration), study.failed(split.calibration)
    return {
        name: Claim(margin[seen:], platt(margin[:seen], happened, margin[seen:])) for name, margin in margins.items()
    }


def _coverage(margin: Floats, failed: Truths, earned: Earned) -> dict[str, Any]:
    coverage = interval_coverage(margin, failed.astype(np.float64), earned.calibration, min(COVERAGE_BINS, len(failed)))
    covered = sum(each.covered for each in coverage.bins)
    return {"level": coverage.level, "bins": len(coverage.bins), "covered": covered, "share": coverage.share}


def _data(study: Study, earned: Earned, recipe: Recipe, fingerprint: str) -> dict[str, Any]:
    split = study.split
    return {
        "fingerprint": fingerprint,
        "recipe": f"{recipe.name}-{recipe.digest[:12]}",
        "trees": earned.trees,
        "calibration_from": split.calibration_from.isoformat(),
        "test_from": split.test_from.isoformat(),
        "train": _part(study, split.train),
        "calibration": _part(study, split.calibration),
        "test": _part(study, split.test),
    }


def _part(study: Study, rows: Rows) -> dict[str, Any]:
    drawn = study.labels["as_of"].iloc[rows]
    return {
        "n": len(rows), "base_rate": float(study.failed(rows).mean()),
        "first_day": f"{drawn.min():%Y-%m-%d}", "last_day": f"{drawn.max():%Y-%m-%d}",
    }  # fmt: skip
