"""Small random LightGBM boosters with everything that splits can do, and rows that stand on their edges."""

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
NEVER_A_CATEGORY = (-1.0, -0.5, -7.0, 0.5, 2.9, 1_023.0, 5_000.0, 3e9, 1e300, -1e300, np.inf, -np.inf, np.nan)
EDGES = (0.0, -0.0, 1e-36, -1e-36, 1e-35, 2e-35, np.inf, -np.inf, 1e300, 1e301, np.nan)


@dataclass(frozen=True)
class Grown:
    """A booster and rows to explain."""

    booster: lightgbm.Booster
    rows: Matrix


def contributions_by_lightgbm(booster: lightgbm.Booster, rows: Matrix) -> Matrix:
    """The oracle: contributions of all features and, in the last column, the base value."""
    return np.asarray(booster.predict(rows, pred_contrib=True))


def grow(matrix: Matrix, target: Matrix, categorical: list[int], trees: int = 5, **parameters: Any) -> lightgbm.Booster:
    """A booster that may split down to single rows."""
    settings = {"objective": "regression", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 1, "seed": 1}
    settings |= {"min_data_per_group": 1, "cat_smooth": 0.0, "cat_l2": 0.0, "min_sum_hessian_in_leaf": 0.0}
    settings |= {"min_data_in_bin": 1, "feature_pre_filter": False, "deterministic": True, "force_row_wise": True}
    dataset = lightgbm.Dataset(matrix, target, categorical_feature=categorical, params={**settings, **parameters})
    return lightgbm.train({**settings, **parameters}, dataset, trees)


def thresholds(booster: lightgbm.Booster) -> dict[int, list[float]]:
    """The thresholds of all numerical splits by feature."""
    found: dict[int, list[float]] = {}
    waiting = [entry["tree_structure"] for entry in booster.dump_model()["tree_info"]]
    while waiting:
        node = waiting.pop()
        if "split_feature" in node:
            waiting += [node["left_child"], node["right_child"]]
            if node["decision_type"] == "<=":
                found.setdefault(node["split_feature"], []).append(node["threshold"])
    return found


def on_the_edges(booster: lightgbm.Booster, matrix: Matrix, categorical: list[int], rng: np.random.Generator) -> Matrix:
    """Rows of the matrix, a third of whose values are moved onto thresholds, next to them, or out of the known."""
    rows = matrix[rng.integers(0, len(matrix), 70)].copy()
    known = thresholds(booster)
    for feature in range(matrix.shape[1]):
        if feature in categorical:
            edges = np.array(NEVER_A_CATEGORY)
        else:
            at = np.array(known.get(feature, [0.0]))
            edges = np.concatenate([EDGES, at, np.nextafter(at, np.inf), np.nextafter(at, -np.inf)])
        moved = rng.random(len(rows)) < 1 / 3
        rows[moved, feature] = rng.choice(edges, int(moved.sum()))
    return rows


@st.composite
def grown_boosters(draw: st.DrawFn, categories: bool = True, treats_missing: bool = True) -> Grown:
    """Boosters of few rows (tiny covers) and few features (repeated on a path), with rows to explain."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    numerical = draw(st.integers(1, 4))
    categorical = list(range(numerical, numerical + (draw(st.integers(0, 3)) if categories else 0)))
    matrix = rng.normal(size=(draw(st.integers(5, 200)), numerical + len(categorical))).round(draw(st.integers(0, 3)))
    matrix[:, categorical] = rng.integers(0, draw(st.sampled_from([2, 6, 40])), (len(matrix), len(categorical)))
    target = matrix @ rng.normal(size=matrix.shape[1]) + rng.normal(size=len(matrix))
    parameters: dict[str, Any] = {
        "num_leaves": draw(st.integers(2, 60)),
        "max_depth": draw(st.sampled_from([-1, 2, 6])),
        "learning_rate": draw(st.sampled_from([0.1, 1.0])),
        "max_cat_to_onehot": draw(st.sampled_from([1, 4])),
        "boosting": draw(st.sampled_from(["gbdt", "dart", "rf"])),
    }
    if parameters["boosting"] == "rf":
        parameters |= {"bagging_freq": 1, "bagging_fraction": 0.6}
    if treats_missing:
        matrix[rng.random(matrix.shape) < draw(st.sampled_from([0.0, 0.2, 0.9]))] = np.nan
        parameters |= {"use_missing": draw(st.booleans()), "zero_as_missing": draw(st.booleans())}
    booster = grow(matrix, target, categorical, draw(st.integers(1, 6)), **parameters)
    if not treats_missing:
        return Grown(booster, matrix)
    return Grown(booster, on_the_edges(booster, matrix, categorical, rng))
