"""Compiles every kernel that a request needs into numba's cache: `python -m serving.compile_kernels`, when installed.

A process of the same sources, the same kind of processor and the same `NUMBA_CACHE_DIR` then compiles nothing. Where
that variable is not set, the cache lies beside the sources, or in the user's cache folder if those cannot be written.
"""

import numpy as np
from numpy.typing import NDArray

from models.treeshap.engine import compile_model
from sampling.design.draw import round_dependently
from sampling.randomness import ONE

ROWS, FEATURES, STRONGEST = 200, 4, 2


def compile_kernels() -> None:
    """Run each kernel once, on a model of a few small trees and on a draw of four edges."""
    matrix = np.random.default_rng(0).normal(size=(ROWS, FEATURES))
    engine = compile_model(_booster_text(matrix))
    for rows in (matrix, matrix[:1]):
        engine.contributions(rows)
        engine.margin(rows)
        engine.top(rows, STRONGEST)
        engine.interactions(rows)
    tails, heads = np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])
    round_dependently(tails, heads, np.full(4, ONE // 2, dtype=np.int64), ONE, seed=0)


def _booster_text(matrix: NDArray[np.float64]) -> str:
    import lightgbm

    data = lightgbm.Dataset(matrix, (matrix[:, 0] * matrix[:, 1] > 0).astype(float))
    settings = {"objective": "binary", "num_leaves": 8, "min_data_in_leaf": 5, "num_threads": 1, "verbosity": -1}
    return str(lightgbm.train(settings, data, num_boost_round=3).model_to_string())


if __name__ == "__main__":
    compile_kernels()
