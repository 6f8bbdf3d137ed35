"""Explained score rows of a data frame of features, for notebooks."""

from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa

from data.errors import UserError
from features.snapshot.reader import KEY_COLUMNS
from models.artifact import Artifact
from models.frames import frame_matrix
from models.reasons import ReasonWriter, RowContext
from models.risk_bands import bands_in_force
from serving.score_rows import RowScorer

if TYPE_CHECKING:
    import pandas as pd


def explain_frame(artifact: Artifact, frame: "pd.DataFrame", today: date) -> "pd.DataFrame":
    """Table of score rows without ranks, one per row of `frame`, with the reasons of `touchstone explain`.

    The keys sku_id, market, supplier_id and category are those of `frame`; without them typical values and hazards are
    not told. Policy is that of the newest day of as_of, without which that is `today`. Raises UserError as
    `frame_matrix`, for what is no day, and for a day without a policy.
    """
    import pandas as pd

    matrix, days = frame_matrix(frame, artifact.feature_names), _days(frame, today)
    newest = max(days, default=today)
    scorer = RowScorer(artifact, newest, bands_in_force(newest))
    scores, keys = scorer.score(matrix), _keys(frame)
    contexts = [RowContext(category or "", margin, values) for category, margin, values
                in zip(keys["category"].to_pylist(), scores.margin.tolist(), matrix, strict=True)]  # fmt: skip
    rows: pd.DataFrame = scorer.score_rows(keys, matrix, scores).to_pandas().drop(columns="rank").set_index(frame.index)
    told = ReasonWriter(artifact).reason_records(contexts, scores.contributions)
    return rows.assign(as_of=days, reasons=pd.Series(told, frame.index, dtype=object))


def _keys(frame: "pd.DataFrame") -> pa.RecordBatch:
    """The keys of the rows, null where `frame` has none."""
    unknown = [None] * len(frame)
    columns = [frame[name] if name in frame.columns else unknown for name in KEY_COLUMNS]
    arrays = [pa.array(column, pa.string(), from_pandas=True) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names=list(KEY_COLUMNS))


def _days(frame: "pd.DataFrame", today: date) -> list[date]:
    import pandas as pd

    if "as_of" not in frame.columns:
        return [today] * len(frame)
    days = pd.to_datetime(frame["as_of"], errors="coerce")
    if days.isna().any():
        wrong = frame["as_of"][days.isna()].iloc[0]
        raise UserError(f"The column as_of of the frame holds {wrong!r}, which is no day. Give days.")
    return [day.date() for day in days]
