"""The model as `mlflow.pyfunc` loads it: MLflow runs a copy of this file (models from code), so nothing is pickled.

The packages of this project must be importable where the model is loaded.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from models.artifact import read_artifact
from models.frames import score_frame
from models.scorer import Scorer


class FrameModel(PythonModel):
    """Model that takes a frame of features, as `touchstone frame` writes it, and gives what `score_frame` gives."""

    def load_context(self, context: Any) -> None:
        """Read and verify the artifact; UserError where it was changed."""
        self._scorer = Scorer(read_artifact(Path(context.artifacts["artefact"])))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:  # noqa: ARG002
        """Scores of the rows; UserError where a feature is missing."""
        return score_frame(self._scorer, model_input)


set_model(FrameModel())
