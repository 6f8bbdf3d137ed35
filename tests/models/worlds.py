"""Small models with everything a real one has, for the tests of this room and of those above it."""

from dataclasses import fields
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.workspace import Workspace
from features.fitted_tables import SCHEMAS, FittedTables
from features.registry import FEATURE_NAMES
from features.version import feature_version
from models.artifact import Artifact, ArtifactParts, read_artifact, write_artifact
from models.calibration import Calibration, fit_calibration
from models.hazard_shares import LEVELS_OF
from models.registry import set_champion, store_model

Floats = NDArray[np.float64]

CATEGORIES = ("toys_3_plus", "chargers", "jewellery")


def tiny_matrix(rows: int, seed: int) -> Floats:
    """Feature values (rows, features), about one in seven of them missing."""
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(rows, len(FEATURE_NAMES)))
    matrix[draw.random(matrix.shape) < 0.15] = np.nan
    return matrix


DECIDING = {
    "supplier_fail_rate": 0.9, "supplier_fail_rate_365": -0.7, "supplier_fail_rate_90": 0.5, "supplier_fails_365": 0.4,
    "supplier_fails_90": -0.3, "supplier_fails_30": 0.3, "sku_responsible_person": -0.6,
}  # fmt: skip


def tiny_outcomes(matrix: Floats, seed: int) -> NDArray[np.bool_]:
    """Failures that depend on the DECIDING features, by these coefficients."""
    known = np.nan_to_num(matrix[:, [FEATURE_NAMES.index(name) for name in DECIDING]])
    logit = known @ np.array(list(DECIDING.values())) + 0.6 * known[:, 0] * known[:, 1] - 1.2
    return np.asarray(np.random.default_rng(seed).random(len(matrix)) < 1.0 / (1.0 + np.exp(-logit)))


@cache
def tiny_booster_text(seed: int) -> str:
    """A booster of 20 small trees on random values of FEATURE_NAMES."""
    import lightgbm

    matrix = tiny_matrix(1200, seed)
    data = lightgbm.Dataset(matrix, tiny_outcomes(matrix, seed).astype(float), feature_name=list(FEATURE_NAMES))
    recipe = {
        "objective": "binary", "num_leaves": 8, "learning_rate": 0.2, "min_data_in_leaf": 20, "verbosity": -1,
        "seed": seed, "num_threads": 1, "deterministic": True,
    }  # fmt: skip
    return str(lightgbm.train(recipe, data, num_boost_round=20).model_to_string())


@cache
def tiny_calibration(seed: int) -> Calibration:
    """A calibration learned from 400 simulated labels."""
    draw = np.random.default_rng(seed)
    margin = draw.normal(-1.2, 1.0, 400)
    failed = draw.random(400) < 1.0 / (1.0 + np.exp(-0.8 * margin))
    return fit_calibration(margin, failed, draw.integers(0, 40, 400), np.arange(400) // 100, seed=seed)


def tiny_reference() -> FittedTables:
    """The untrained reference and a median of every feature for each of CATEGORIES."""
    rows = [
        {"category": category, "feature": feature, "median": 0.1 * number}
        for number, category in enumerate(CATEGORIES)
        for feature in FEATURE_NAMES
    ]
    return FittedTables({**FittedTables.untrained().tables, "norms": pa.Table.from_pylist(rows), **tiny_hazards()})


def tiny_hazards() -> dict[str, pa.Table]:
    """Tables of hazards: chargers and toys have failed, jewellery has not."""
    failures = {
        ("mains_chargers", "shock", "critical"): 5, ("mains_chargers", "fire", "major"): 3,
        ("toys_3_plus", "small_parts", "major"): 4, ("toys_3_plus", "chemical", "minor"): 2,
    }  # fmt: skip
    hazards = [{"category": category, "market": "DE", "supplier_id": "S-1", "hazard": hazard, "severity": severity,
                "failures": number} for (category, hazard, severity), number in failures.items()]  # fmt: skip
    smoothing = [{"shares": shares, "level": level, "strength": 1.0}
                 for shares, levels in LEVELS_OF.items() for level in levels]  # fmt: skip
    choking = "sku_choking_small_parts_review_rate"
    evidence = [{"hazard": "small_parts", "feature": choking, "usual": 0.5, "weight": 1.0}]
    rows = {"hazards": hazards, "hazard_smoothing": smoothing, "hazard_evidence": evidence}
    return {name: pa.Table.from_pylist(of, schema=SCHEMAS[name]) for name, of in rows.items()}


def tiny_parts(seed: int = 0) -> ArtifactParts:
    """All parts of a small model; another seed gives another model."""
    return ArtifactParts(
        booster_text=tiny_booster_text(seed),
        calibration=tiny_calibration(seed),
        feature_names=FEATURE_NAMES,
        feature_version=feature_version(),
        reference=tiny_reference(),
        recipe_text=f"seed = {seed}\n",
        metrics={"auc": {"value": 0.75, "low": 0.7, "high": 0.8}, "n": 400},
        card="# A tiny model\n\nTrained on 1,200 random rows.\n",
    )


def tiny_artifact(folder: Path, seed: int = 0) -> Artifact:
    """A small model written to `folder` and read back."""
    write_artifact(tiny_parts(seed), folder)
    return read_artifact(folder)


def tiny_champion(workspace: Workspace, seed: int = 0) -> str:
    """Crown a small model in the workspace and return its version."""
    version = store_model(workspace, tiny_parts(seed))
    set_champion(workspace, version)
    return version


def parts_of(artifact: Artifact) -> ArtifactParts:
    """The artifact without its version, ready to be written elsewhere."""
    return ArtifactParts(**{field.name: getattr(artifact, field.name) for field in fields(ArtifactParts)})
