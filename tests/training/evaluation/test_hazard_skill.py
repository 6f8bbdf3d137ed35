"""What is said of hazards: a gain where suppliers tell, none where nothing tells, nothing where there is nothing."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.fitted_tables import FittedTables
from tests.training.worlds import small_recipe
from training.card.hazards import hazard_line
from training.dataset.splits import Split
from training.evaluation.hazard_skill import HazardEvaluation, evaluate_hazards
from training.fitting.hazard_tables import fit_hazard_tables
from training.fitting.model import TrainingSet

NAMES = np.array(["fire", "cut", "fall", "noise"])
LABELS, TRAINED, SUPPLIERS = 600, 400, 40
SUPPLIER = np.arange(LABELS) % SUPPLIERS


def evaluation(hazards: Sequence[str | None]) -> HazardEvaluation | None:
    """Of failures by these hazards; the last third is held out."""
    labels = pd.DataFrame({
        "failed": np.arange(LABELS) % 7 > 0, "hazard": hazards, "severity": "major", "category": "toys", "market": "DE",
        "supplier_id": [f"s{number}" for number in SUPPLIER],
    })  # fmt: skip
    features = pd.DataFrame({"sku_age_grade_months": np.full(LABELS, 24.0)})
    train, test = np.arange(TRAINED), np.arange(TRAINED, LABELS)
    untrained = FittedTables.untrained()
    tables = fit_hazard_tables(labels.iloc[train], features.iloc[train], SUPPLIER[train] % 5, untrained)
    split = Split(train, test[:0], test, date(2026, 1, 1), date(2026, 2, 1))
    return evaluate_hazards(TrainingSet(labels, features, split, untrained.with_tables(tables)), small_recipe())


def test_a_gain_is_told_where_suppliers_tell_and_none_where_nothing_does() -> None:
    """Beside the category, which tells nothing in either marketplace."""
    telling = evaluation(NAMES[SUPPLIER % 4].tolist())
    silent = evaluation(np.random.default_rng(1).choice(NAMES, LABELS).tolist())
    assert telling is not None
    assert silent is not None
    assert telling.gain.low > 0.8
    assert telling.likeliest_right == 1.0
    assert telling.log_loss + telling.gain.value == pytest.approx(telling.category_log_loss)
    assert silent.gain.low < 0.05
    assert silent.gain.high > -0.05
    assert "Log loss 0.0" in hazard_line(telling.to_json())


def test_without_hazards_nothing_is_said() -> None:
    """Laboratories that name none."""
    assert evaluation([None] * LABELS) is None
    assert hazard_line(None) == ""


def test_a_hazard_never_seen_before_is_left_out_and_counted() -> None:
    """Of the later failures, those by the new hazard."""
    found = evaluation(["new" if row >= TRAINED and row % 2 else "fire" for row in range(LABELS)])
    assert found is not None
    assert found.left_out == sum(row % 7 > 0 and row % 2 > 0 for row in range(TRAINED, LABELS))
    assert f"{found.left_out:,} failures by hazards or in categories never seen" in hazard_line(found.to_json())
