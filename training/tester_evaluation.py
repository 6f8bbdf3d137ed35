"""How much of a model's skill is knowing which laboratory looked: the part that no catalogue score can have."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from training import metrics
from training.bootstrap import Skill, skill, supplier_weights
from training.evaluation import numbers
from training.metrics import Floats
from training.tester import LabEffects

CHANCE = 0.5


@dataclass(frozen=True)
class LabEvaluation:
    """AUC on the same tests with each test's laboratory known, averaged out, and by a booster never told of any.

    `auc_gain` is known minus averaged, on the same replicates; `share_of_lift` is that part of what the AUC has above
    chance when laboratories are known. `auc_of_labs_alone` ranks tests by nothing but their laboratory.
    """

    effect: LabEffects
    auc_lab_known: Skill
    auc_lab_averaged: Skill
    auc_lab_blind: Skill
    auc_of_labs_alone: Skill
    auc_gain: Skill
    share_of_lift: Skill

    def to_json(self) -> dict[str, Any]:
        """The effect of each laboratory, and every skill with its 95 % interval; None where it cannot be told."""
        skills = ("auc_lab_known", "auc_lab_averaged", "auc_lab_blind", "auc_of_labs_alone", "auc_gain",
                  "share_of_lift")  # fmt: skip
        told = {key: value for name in skills for key, value in numbers(name, getattr(self, name)).items()}
        return {**self.effect.to_json(), **told}


def lab_evaluation(
    tests: pd.DataFrame, margin: Floats, lab_blind_margin: Floats, effect: LabEffects, replicates: int, seed: int
) -> LabEvaluation:
    """Judge margins (n) on `tests` (failed, supplier_id, lab_id), the model's and that of the lab-blind booster.

    An effect that does not count is reported all the same, as what knowing the laboratory would add.
    """
    weights = supplier_weights(tests["supplier_id"].tolist(), replicates, seed)
    failed = tests["failed"].to_numpy(dtype=np.bool_)
    of_lab = effect.known(tests["lab_id"])

    def auc(score: Floats) -> Floats:
        return metrics.auc(metrics.ranking(score, failed), weights)

    known, averaged = auc(margin + of_lab), auc(margin)
    lift = np.where(known > CHANCE, known - CHANCE, np.nan)
    return LabEvaluation(
        effect, skill(known), skill(averaged), skill(auc(lab_blind_margin)), skill(auc(of_lab)),
        skill(known - averaged), skill((known - averaged) / lift),
    )  # fmt: skip
