"""LightGBM's own contributions, through its C library.

`import lightgbm` brings scikit-learn, SciPy and pandas with it, which takes longer than everything else a scorer loads.
Source: https://lightgbm.readthedocs.io/en/stable/C-API.html.
"""

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .model_file import UnsupportedModel

FLOAT64, PREDICT_CONTRIBUTIONS, ROW_MAJOR = 1, 3, 1  # C_API_DTYPE_FLOAT64, C_API_PREDICT_CONTRIB
# Early stopping changes margins by whole units of log-odds; a model file must not switch it on.
SETTINGS = b"num_threads=1 pred_early_stop=false verbosity=-1"


def contributions_by_lightgbm(booster_text: str, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Contributions of every feature and, in the last column, the base value; `matrix` is (n, features), C order.

    Raises UnsupportedModel where LightGBM cannot read the booster, OSError where its library is missing.
    """
    library, booster, trees = _library(), ctypes.c_void_p(), ctypes.c_int()
    _require(library.LGBM_BoosterLoadModelFromString(
        booster_text.encode("utf-8"), ctypes.byref(trees), ctypes.byref(booster)))  # fmt: skip
    try:
        rows, columns = matrix.shape
        values, written = np.empty((rows, columns + 1)), ctypes.c_int64()
        _require(library.LGBM_BoosterPredictForMat(
            booster, ctypes.c_void_p(matrix.ctypes.data), FLOAT64, rows, columns, ROW_MAJOR, PREDICT_CONTRIBUTIONS,
            0, -1, SETTINGS, ctypes.byref(written), ctypes.c_void_p(values.ctypes.data),
        ))  # fmt: skip
    finally:
        library.LGBM_BoosterFree(booster)
    return values


@cache
def _library() -> ctypes.CDLL:
    package = find_spec("lightgbm")
    folder = Path(package.origin).parent if package and package.origin else Path("lightgbm")
    for path in sorted(folder.glob("*/lib_lightgbm.*")):
        library = ctypes.CDLL(str(path))
        library.LGBM_GetLastError.restype = ctypes.c_char_p
        return library
    raise OSError(f"LightGBM's library is not in {folder}. Install LightGBM from its wheel: pip install lightgbm.")


def _require(code: int) -> None:
    if code:
        message = _library().LGBM_GetLastError().decode("utf-8", errors="replace")
        raise UnsupportedModel(f"LightGBM cannot read the booster: {message}. Train again.")
