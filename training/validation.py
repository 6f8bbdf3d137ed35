"""How the procedure fared period by period, and the model on the schedule and the strangers of the test period."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from data.lake.tables import Tables
from data.progress import Progress
from features.catalogue import FEATURE_NAMES
from features.pipeline import feature_frame
from training.bootstrap import supplier_weights
from training.cold_start import cold_rows, cold_start
from training.earning import Earned, Study
from training.evaluation import Claim, Judged, budget_tests, skills
from training.fold_audit import audit_folds
from training.recipe import Recipe
from training.reference_fit import matrix_of
from training.rolling import MODEL, PeriodClaims, RollingStudy, period_claims, rolling_study
from training.schedule import schedule_replay
from training.splits import Rows


def rolling_validation(
    tables: Tables, labels: pd.DataFrame, test_from: date, recipe: Recipe, trees: int, progress: Progress
) -> list[dict[str, Any]]:
    """One entry per period before `test_from`: the skills of the procedure and of its `baselines`.

    With `from`, `until`, the mean number `fitted`, the schedule `replay` and the `cold_start` rows. Skills are of
    labels that neither taught the booster that judged them nor share a supplier, or factory and title, with one that
    did. Raises LeakFound where the folds do not keep to that.
    """
    study = rolling_study(tables, labels, test_from, recipe, progress)
    for period in study.periods:
        audit_folds(study.labels, period)
    told = []
    with progress.step("Validation on earlier periods", len(study.periods), "periods") as advance:
        for period in study.periods:
            told.append(_told(study, period_claims(study, period, recipe, trees), recipe))
            advance(1)
    return told


def replay_of_test_period(tables: Tables, study: Study, earned: Earned, recipe: Recipe) -> dict[str, Any]:
    """The schedule of the test period replayed with the model, by what was known on its first day."""
    split = study.split
    asked = study.labels.iloc[split.test][["sku_id", "market"]].assign(as_of=pd.Timestamp(split.test_from))
    features = feature_frame(tables, asked, study.reference)[list(FEATURE_NAMES)]
    judged = judged_rows(study.labels, split.test, recipe)
    return _replay(study.labels, split.test, features, earned.margin(matrix_of(features)), judged)


def cold_start_of_test_period(study: Study, claim: Claim, recipe: Recipe) -> list[dict[str, Any]]:
    """How the model fared on the new and the known suppliers, SKUs and categories of the test period."""
    split = study.split
    rows = cold_rows(study.labels, split.test, split.calibration_from)
    return cold_start(claim, judged_rows(study.labels, split.test, recipe), rows, recipe.evaluation)


def judged_rows(labels: pd.DataFrame, rows: Rows, recipe: Recipe) -> Judged:
    """These labels with their resampled suppliers and the laboratory's budget."""
    tests = labels.iloc[rows]
    weights = supplier_weights(tests["supplier_id"].tolist(), recipe.evaluation.replicates, recipe.seed)
    return Judged(tests["failed"].to_numpy(), weights, budget_tests(tests, recipe.evaluation))


def _told(study: RollingStudy, said: PeriodClaims, recipe: Recipe) -> dict[str, Any]:
    period, labels = said.period, study.labels
    judged = judged_rows(labels, said.rows, recipe)
    told = {name: skills(claim, judged) for name, claim in said.claims.items()}
    cold = cold_rows(labels, said.rows, period.first)
    start = study.at_start.loc[said.rows]
    return {
        "from": period.first.isoformat(), "until": period.until.isoformat(),
        "fitted": int(np.mean([len(fold.fit) for fold in period.folds])), **told.pop(MODEL), "baselines": told,
        "replay": _replay(labels, said.rows, start, said.margin_at_start, judged),
        "cold_start": cold_start(said.claims[MODEL], judged, cold, recipe.evaluation),
    }  # fmt: skip


def _replay(
    labels: pd.DataFrame, rows: Rows, features: pd.DataFrame, margin: "np.typing.NDArray[np.float64]", judged: Judged
) -> dict[str, Any]:
    """The replay of those tests whose SKU was listed when the period began: others could not have gone first."""
    listed = ~(features["sku_listing_age_days"].to_numpy() <= 0)
    days = labels["as_of"].iloc[rows].to_numpy().astype("datetime64[D]").astype(np.int64)
    return schedule_replay(days[listed], margin[listed], judged[listed])
