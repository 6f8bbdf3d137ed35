"""The explainer: SHAP values of any LightGBM model for whatever table its caller holds, under the names of shap."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .engine import Precision, compile_outputs
from .matrix import Matrix, ModelColumns, categories_in, in_model_order, matrix_of
from .model_file import UnsupportedModel

Values = NDArray[np.floating]


class Explainer:
    """Exact path-dependent SHAP values of a LightGBM model, as margins (before any link): they add up to `raw_score`.

    `model` is a Booster, a fitted LGBMClassifier, LGBMRegressor or LGBMRanker, the path of a model file, or its text.
    Of a model that stopped early, the trees up to its best iteration count, as in `predict`. A model of several classes
    has values for each, on the last axis.

    Raises:
        UnsupportedModel: linear trees, or no LightGBM model.
        ValueError: an unknown precision, or threads below 1.

    """

    def __init__(self, model: Any, *, precision: Precision = "float64", threads: int = 1) -> None:
        if threads < 1:
            raise ValueError(f"Threads are counted from 1, got {threads}.")
        text = _text_of(model)
        self._engines = compile_outputs(text, precision)
        self._columns = ModelColumns(self._engines[0].feature_names, categories_in(text))
        self._threads = threads

    @property
    def feature_names(self) -> list[str]:
        """The features in the order of the model."""
        return list(self._columns.names)

    @property
    def expected_value(self) -> Any:
        """The base value, a float; of a model of several classes an array (classes,)."""
        values = np.array([engine.base_value for engine in self._engines])
        return values if len(values) > 1 else float(values[0])

    def shap_values(self, X: Any) -> Values:  # noqa: N803 - shap's name
        """SHAP values (rows, features), or (rows, features, classes).

        `X` is a pandas frame or an Arrow table with the columns of the model in any order, or an array in its order.

        Raises:
            ValueError: other columns than the model's, or values that are no numbers.

        """
        return self._values(matrix_of(X, self._columns))

    def shap_interaction_values(self, X: Any) -> Values:  # noqa: N803 - shap's name
        """Interaction values (rows, features, features), or with classes as the last axis. Raises as `shap_values`."""
        matrix = matrix_of(X, self._columns)
        return _outputs([engine.interactions(matrix, self._threads).values for engine in self._engines])

    def __call__(self, X: Any) -> Any:  # noqa: N803 - shap's name
        """The SHAP values as a `shap.Explanation`, which shap's plots draw. Raises as `shap_values`.

        Raises:
            ImportError: shap is not installed.

        """
        try:
            from shap import Explanation  # type: ignore[import-untyped, unused-ignore]
        except ImportError as error:
            raise ImportError(
                "explainer(X) gives a shap.Explanation, and shap is not installed. "
                "Run pip install shap, or take the arrays of explainer.shap_values(X)."
            ) from error
        table = in_model_order(X, self._columns)
        matrix = matrix_of(table, self._columns)
        values = self._values(matrix)
        base_values = np.broadcast_to(np.asarray(self.expected_value), (len(matrix), *values.shape[2:])).copy()
        data = table.to_numpy() if hasattr(table, "to_numpy") else matrix
        return Explanation(values, base_values=base_values, data=data, feature_names=self.feature_names)

    def _values(self, matrix: Matrix) -> Values:
        return _outputs([engine.contributions(matrix, self._threads).values for engine in self._engines])


def _outputs(values: list[Any]) -> Values:
    """The values of one output, or of several on the last axis."""
    whole: Values = values[0] if len(values) == 1 else np.stack(values, axis=-1)
    return whole


def _text_of(model: Any) -> str:
    if isinstance(model, Path) or (isinstance(model, str) and "\n" not in model):
        return Path(model).read_text(encoding="utf-8")
    if isinstance(model, str):
        return model
    booster = model if hasattr(model, "model_to_string") else getattr(model, "booster_", None)
    if booster is None:
        raise UnsupportedModel(
            f"The model must be a LightGBM Booster, a fitted LightGBM estimator, the path of a model file or its text, "
            f"got {type(model).__name__}. Pass one of these."
        )
    return str(booster.model_to_string())
