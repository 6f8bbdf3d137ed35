"""How the world has moved since the model in force was trained: what it is given, what came of it, how late."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from data.lake.tables import Tables
from features.catalogue import FEATURE_NAMES
from features.version import feature_version
from models.artifact import Artefact, require_feature_version
from training.catalogue import catalogue_sample
from training.catalogue_evaluation import StratumSkills, catalogue_evaluation
from training.drift import MARGIN, Drift, drifts
from training.evaluation import Claim
from training.examples import examples
from training.recipe import Recipe, recipe_from_text
from training.rivalry import claim_of, margins_of

NINE_OF_TEN = 0.9


@dataclass(frozen=True)
class Watch:
    """What was seen of one model on the day `as_of`; nothing known on that day or later is in here.

    `moved` tells the drift of every feature and of the margin, largest first; `carried` the share of the model's
    contributions that each feature had in training. `tests` are the labels that became known since training (with what
    the model says of them in `claim`) and `skills` how they judge it; None where there are none. Days count whole days.
    """

    version: str
    as_of: date
    skus: int
    moved: tuple[Drift, ...]
    carried: Mapping[str, float]
    tests: pd.DataFrame
    claim: Claim | None
    skills: StratumSkills | None
    taught: int
    age_days: int
    report_days: float | None
    report_days_in_training: float


def watched(tables: Tables, champion: Artefact, as_of: date) -> Watch:
    """Look at today's catalogue and at the labels known since training with the eyes of the champion.

    Where the champion's probabilities are meant for the catalogue, labels weigh by 1 / propensity. Raises Refusal where
    this code computes other features than the champion reads.
    """
    require_feature_version(champion, feature_version())
    recipe, data = recipe_from_text(champion.recipe_text), champion.metrics["data"]
    known_until = date.fromisoformat(data["known_until"])
    sample = catalogue_sample(tables, as_of, champion.reference, recipe.seed)
    seen = np.column_stack([sample.matrix, margins_of(champion, sample.matrix)])
    contributions: Mapping[str, float] = champion.metrics["contributions"]
    total = sum(contributions.values()) or 1.0
    labels = examples(tables, until=as_of, rule=recipe.labels)
    tests = labels[labels["known_on"] > pd.Timestamp(known_until)].reset_index(drop=True)
    claim = claim_of(champion, tables, tests) if len(tests) else None
    delay = (tests["known_on"] - tests["as_of"]).dt.days
    return Watch(
        champion.version, as_of, sample.size, drifts(champion.reference["frame"], (*FEATURE_NAMES, MARGIN), seen),
        {name: size / total for name, size in contributions.items()}, tests, claim,
        None if claim is None else _skills(tests, claim, champion, recipe),
        taught=int(data["train"]["n"]), age_days=(as_of - known_until).days,
        report_days=float(delay.quantile(NINE_OF_TEN)) if len(tests) else None,
        report_days_in_training=float(data["train"]["report_days_nine_of_ten"]),
    )  # fmt: skip


def numbers_of(watch: Watch) -> dict[str, Any]:
    """Everything that was measured, as JSON."""
    return {
        "model": watch.version, "as_of": watch.as_of.isoformat(), "skus": watch.skus, "age_days": watch.age_days,
        "new_labels": len(watch.tests), "report_days": watch.report_days,
        "report_days_in_training": watch.report_days_in_training,
        "psi": {each.feature: each.psi for each in watch.moved},
        "since": None if watch.skills is None else watch.skills.to_json(),
    }  # fmt: skip


def _skills(tests: pd.DataFrame, claim: Claim, champion: Artefact, recipe: Recipe) -> StratumSkills:
    judged = catalogue_evaluation(tests, {"model": claim}, recipe.evaluation.replicates, recipe.seed)
    return judged.targeted if champion.calibration.shift is None else judged.logged
