"""Scores and explanations of a data frame of features, as `touchstone frame` writes it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.errors import UserError, join_names, plural
from models.artifact import Artifact
from models.reasons import STORED_REASONS, ReasonWriter, RowContext, reasons_array
from models.risk_bands import bands_in_force
from models.scorer import Probabilities, Scorer

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
    artifact = scorer.artifact
    matrix = frame_matrix(frame, artifact.feature_names)
    scores = scorer.explain(matrix, STORED_REASONS)
    values = np.take_along_axis(matrix, scores.strongest, axis=1)
    names = pa.array(list(artifact.feature_names), pa.string())
    told = reasons_array(values, scores.strongest, scores.contributions, names).to_pylist()
    return _table(frame, KEYS, {**_numbers_of(scores), "reasons": told})


def explain_frame(artifact: Artifact, frame: "pd.DataFrame", today: date) -> "pd.DataFrame":
    """Table of explained scores, one row per row of `frame`, as `touchstone explain` would give them.

    The columns of `score_frame` with as_of where `frame` has it, the risk band of that day (else of `today`), the
    sentence of each reason and the versions; typical values are told where `frame` has the category. Features about
    the same rows are one reason, so that these are not those of `score_frame`. Raises UserError as `frame_matrix`, and
    for a day without a policy.
    """
    matrix = frame_matrix(frame, artifact.feature_names)
    scores = Scorer(artifact).score(matrix)
    categories = frame["category"].tolist() if "category" in frame.columns else [""] * len(frame)
    rows = [RowContext(str(category), margin, values)
            for category, margin, values in zip(categories, scores.margin.tolist(), matrix, strict=True)]  # fmt: skip
    bands = [bands_in_force(day) for day in _days(frame, today)]
    return _table(frame, (*KEYS, "as_of"), {
        **_numbers_of(scores),
        "band": [str(band.band(p_fail)) for band, p_fail in zip(bands, scores.p_fail, strict=True)],
        "reasons": ReasonWriter(artifact).reason_records(rows, scores.contributions),
        "model_version": [artifact.version] * len(frame),
        "feature_version": [artifact.feature_version] * len(frame),
        "policy_version": [band.version for band in bands],
    })  # fmt: skip


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


def _numbers_of(scores: Probabilities) -> dict[str, Any]:
    return {"margin": scores.margin, "p_fail": scores.p_fail, "p_low": scores.p_low, "p_high": scores.p_high}


def _table(frame: "pd.DataFrame", keys: Sequence[str], columns: Mapping[str, Any]) -> "pd.DataFrame":
    """The keys that `frame` has, then the columns, with the index of `frame`."""
    import pandas as pd

    given = {name: frame[name].to_numpy() for name in keys if name in frame.columns}
    return pd.DataFrame({**given, **columns}).set_index(frame.index)


def _days(frame: "pd.DataFrame", today: date) -> list[date]:
    import pandas as pd

    if "as_of" not in frame.columns:
        return [today] * len(frame)
    days = pd.to_datetime(frame["as_of"], errors="coerce")
    if days.isna().any():
        wrong = frame["as_of"][days.isna()].iloc[0]
        raise UserError(f"The column as_of of the frame holds {wrong!r}, which is no day. Give days.")
    return [day.date() for day in days]


def _numbers(frame: "pd.DataFrame", name: str) -> Floats:
    try:
        return frame[name].to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise UserError(f"The column {name} of the frame holds what is no number: {error}. Give numbers.") from error
