"""The score row: what the house says of one SKU, in the file and over HTTP alike."""

from datetime import date
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.artifact import Artifact
from models.reasons import REASONS_TYPE, STORED_REASONS, reasons_array
from models.risk_bands import RiskBands
from models.scorer import Explanations, Probabilities, Scorer, Scores

Floats = NDArray[np.float64]
Ranks = NDArray[np.int64]
RowsT = TypeVar("RowsT", pa.RecordBatch, pa.Table)

SCORE_SCHEMA = pa.schema([
    ("sku_id", pa.string()), ("market", pa.string()), ("as_of", pa.date32()),
    ("p_fail", pa.float64()), ("p_low", pa.float64()), ("p_high", pa.float64()),
    ("band", pa.string()), ("rank", pa.int64()), ("reasons", REASONS_TYPE),
    ("model_version", pa.string()), ("feature_version", pa.string()), ("policy_version", pa.string()),
])  # fmt: skip

UNRANKED_SCHEMA = SCORE_SCHEMA.append(pa.field("margin", pa.float64()))
"""Score rows whose rank is still 0, with the margin that decides between equal probabilities."""

RANK = SCORE_SCHEMA.get_field_index("rank")


class RowScorer:
    """One model, one policy and one day, ready to write score rows on `threads` threads.

    The matrices must hold the features of the artifact's feature version. Raises UserError as `Scorer`.
    """

    def __init__(self, artifact: Artifact, as_of: date, bands: RiskBands, threads: int = 1) -> None:
        self.as_of = as_of
        self.policy_version = bands.version
        self._scorer = Scorer(artifact, threads)
        self.bands = bands
        self._feature_names = pa.array(list(artifact.feature_names), pa.string())

    def told(self, matrix: Floats) -> Explanations:
        """Probabilities and the strongest contributions of each row of `matrix` (rows, features)."""
        return self._scorer.explain(matrix, STORED_REASONS)

    def whole(self, matrix: Floats) -> Scores:
        """Probabilities and the contribution of every feature of each row of `matrix`."""
        return self._scorer.score(matrix)

    def probabilities(self, matrix: Floats) -> Probabilities:
        """Probabilities of each row of `matrix`, without explanation."""
        return self._scorer.probabilities(matrix)

    def rows(self, keys: pa.RecordBatch, matrix: Floats, told: Probabilities) -> pa.RecordBatch:
        """Score rows in SCORE_SCHEMA, their rank 0; `reasons` is null where `told` explains nothing.

        `keys` has sku_id and market, one row per row of `matrix` and `told`.
        """
        count, artifact = len(matrix), self._scorer.artifact
        columns = {
            "sku_id": keys["sku_id"], "market": keys["market"], "as_of": _repeated(self.as_of, count, pa.date32()),
            "p_fail": pa.array(told.p_fail), "p_low": pa.array(told.p_low), "p_high": pa.array(told.p_high),
            "band": pa.array(self.bands.names, pa.string()).take(pa.array(self.bands.rank(told.p_fail))),
            "rank": _repeated(0, count, pa.int64()), "reasons": self._reasons(matrix, told),
            "model_version": _repeated(artifact.version, count, pa.string()),
            "feature_version": _repeated(artifact.feature_version, count, pa.string()),
            "policy_version": _repeated(self.policy_version, count, pa.string()),
        }  # fmt: skip
        return pa.RecordBatch.from_arrays([columns[name] for name in SCORE_SCHEMA.names], schema=SCORE_SCHEMA)

    def _reasons(self, matrix: Floats, told: Probabilities) -> pa.Array:
        if not isinstance(told, Explanations):
            return pa.nulls(len(matrix), REASONS_TYPE)
        values = np.take_along_axis(matrix, told.strongest, axis=1)
        return reasons_array(values, told.strongest, told.contributions, self._feature_names)


def score_batch(assessor: RowScorer, keys: pa.RecordBatch, matrix: Floats) -> pa.RecordBatch:
    """Unranked score rows with reasons: keys (sku_id, market) and features in, UNRANKED_SCHEMA out.

    A row's answer depends on that row alone, so any engine may call this on any share of the catalogue.
    """
    told = assessor.told(matrix)
    return pa.RecordBatch.from_arrays(
        [*assessor.rows(keys, matrix, told).columns, pa.array(told.margin)], schema=UNRANKED_SCHEMA
    )


def ranked(rows: RowsT, ranks: Ranks) -> RowsT:
    """The score rows in SCORE_SCHEMA with their ranks."""
    return rows.select(SCORE_SCHEMA.names).set_column(RANK, SCORE_SCHEMA.field(RANK), pa.array(ranks))


def ranks_of(margins: Floats, p_fail: Floats) -> Ranks:
    """1 = riskiest: by p_fail, then by margin, equals in catalogue order."""
    ranks = np.empty(len(margins), dtype=np.int64)
    ranks[np.lexsort((-margins, -p_fail))] = np.arange(1, len(margins) + 1)
    return ranks


def _repeated(value: object, count: int, kind: pa.DataType) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), count)
