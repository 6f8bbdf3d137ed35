"""Scores of a data frame of features, as `touchstone frame` writes it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.errors import UserError, join_names, plural
from models.reasons import STORED_REASONS, reasons_array
from models.scorer import Scorer

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
KEYS = ("sku_id", "market")
NAMED = 8
"""Missing columns that a refusal names; the rest it counts."""


def score_frame(scorer: Scorer, frame: "pd.DataFrame") -> "pd.DataFrame":
    """Table of scores, one row per row of `frame`, as `touchstone score` would give them for the same features.

    Columns sku_id and market where `frame` has them, margin (raw log-odds), p_fail, p_low, p_high, and reasons: a list
    of feature, value (None where unknown) and contribution (log-odds), the strongest first. Other columns of `frame`
    than the model's features are ignored. Raises UserError as `frame_matrix`.
    """
    import pandas as pd

    artifact = scorer.artifact
    matrix = frame_matrix(frame, artifact.feature_names)
    scores = scorer.explain(matrix, STORED_REASONS)
    values = np.take_along_axis(matrix, scores.strongest, axis=1)
    names = pa.array(list(artifact.feature_names), pa.string())
    told = reasons_array(values, scores.strongest, scores.contributions, names).to_pylist()
    numbers = {"margin": scores.margin, "p_fail": scores.p_fail, "p_low": scores.p_low, "p_high": scores.p_high}
    keys = {name: frame[name].to_numpy() for name in KEYS if name in frame.columns}
    return pd.DataFrame({**keys, **numbers, "reasons": told}).set_index(frame.index)


def frame_matrix(frame: "pd.DataFrame", names: Sequence[str]) -> Floats:
    """Matrix (rows, features) of the columns `names` of the frame, in their order; what is missing is NaN.

    Raises UserError that names the columns that are absent, twice there or no numbers.
    """
    missing = [name for name in names if name not in frame.columns]
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        listed = ", ".join(missing[:NAMED]) + more if more else join_names(missing)
        raise UserError(
            f"The frame lacks the {plural(missing, 'feature')} {listed}, which the model reads. Give the columns that "
            "`touchstone frame` writes."
        )
    repeated = [name for name in names if frame.columns.tolist().count(name) > 1]
    if repeated:
        raise UserError(f"The frame has the column {repeated[0]} more than once. Keep one.")
    matrix = np.empty((len(frame), len(names)))
    for position, name in enumerate(names):
        matrix[:, position] = _numbers(frame, name)
    return matrix


def _numbers(frame: "pd.DataFrame", name: str) -> Floats:
    try:
        return frame[name].to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise UserError(f"The column {name} of the frame holds what is no number: {error}. Give numbers.") from error
