"""The models and rows of the benchmark of explanations: grown ones, and the champion of the demo.

`python -m benchmarks.explain_models FOLDER` runs the demo in FOLDER and writes its champion and rows there.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.process import run_anew

Matrix = NDArray[np.float64]
CATEGORIES = range(90, 100)
CHAMPION_ROWS = 16_384


@dataclass(frozen=True)
class ModelShape:
    """A model's size (depth -1: unlimited), its features, and the most rows that an engine explains at once."""

    name: str
    trees: int
    leaves: int
    rows: int
    pair_rows: int
    depth: int = -1
    features: int = 100
    categorical: bool = False

    def __str__(self) -> str:
        """The heading of its section."""
        depth = "depth unlimited" if self.depth < 0 else f"depth at most {self.depth}"
        kind = "features, ten of them categorical" if self.categorical else "numeric features"
        return f"{self.name}: {self.trees} trees x {self.leaves} leaves, {depth}, {self.features} {kind}"


@dataclass(frozen=True)
class ExplainedModel:
    """The text of a LightGBM model, rows to explain, and rows with outcomes that a rival's own model learns from."""

    shape: ModelShape
    text: str
    rows: Matrix
    training: Matrix
    outcome: NDArray[np.float64]


def rows_of(count: int, seed: int, shape: ModelShape) -> Matrix:
    """Rows of normal features, of which ten may be categories; 5 % of the values are missing."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(count, shape.features))
    if shape.categorical:
        matrix[:, CATEGORIES] = rng.integers(0, 20, (count, len(CATEGORIES)))
    matrix[rng.random(matrix.shape) < 0.05] = np.nan
    return matrix


def grow(shape: ModelShape, training_rows: int = 30_000) -> ExplainedModel:
    """A model on an outcome with interactions, waves and, where there are, categories."""
    import lightgbm  # here, because a start is measured from before the imports

    training = rows_of(training_rows, 0, shape)
    known = np.nan_to_num(training)
    rng = np.random.default_rng(1)
    score = known[:, 0] * known[:, 1] + np.sin(3 * known[:, 2]) + 2 * (known[:, 90] == 3)
    score += known[:, 3:40] @ rng.normal(size=37) * 0.3 + rng.normal(size=len(known))
    settings = {"objective": "binary", "num_leaves": shape.leaves, "max_depth": shape.depth,
                "learning_rate": 0.05, "verbose": -1}  # fmt: skip
    outcome = (score > 0).astype(float)
    categorical = list(CATEGORIES) if shape.categorical else []
    dataset = lightgbm.Dataset(training, outcome, categorical_feature=categorical)
    booster = lightgbm.train(settings, dataset, shape.trees)
    return ExplainedModel(shape, booster.model_to_string(), rows_of(shape.rows, 2, shape), training, outcome)


def champion(folder: Path) -> ExplainedModel:
    """The champion and the rows of its catalogue that `python -m benchmarks.explain_models FOLDER` wrote.

    A rival's own model learns which rows the champion puts above its median.
    """
    import lightgbm

    text, rows = (folder / "champion.txt").read_text(encoding="utf-8"), np.load(folder / "champion.npy")
    leaves = [int(part.partition("\n")[0]) for part in text.split("\nnum_leaves=")[1:]]
    shape = ModelShape("The demo's champion", len(leaves), max(leaves), len(rows), 2_048, features=rows.shape[1])
    margin = np.asarray(lightgbm.Booster(model_str=text).predict(rows, raw_score=True))
    return ExplainedModel(shape, text, rows, rows, (margin > np.median(margin)).astype(float))


def main(folder: Path) -> None:
    """Run the demo, unless FOLDER has its champion, and write champion and rows."""
    from data.workspace import Workspace
    from features.snapshot.reader import open_snapshot
    from models.registry import champion_version, model_folder

    workspace = Workspace(folder / "demo")
    if champion_version(workspace) is None:
        folder.mkdir(parents=True, exist_ok=True)
        run_anew("-m", "touchstone", "--home", str(folder), "demo", "--no-serve")
    version = champion_version(workspace)
    if version is None:
        raise SystemExit(f"The demo in {folder} has no champion. Delete the folder and run this again.")
    snapshot = open_snapshot(max(workspace.home.glob("snapshots/as_of=*/s-*")))
    np.save(folder / "champion.npy", snapshot.matrix(0, min(len(snapshot), CHAMPION_ROWS)))
    shutil.copyfile(model_folder(workspace, version) / "booster.txt", folder / "champion.txt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
