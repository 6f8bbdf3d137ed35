"""The score row: what the house says of one SKU, in the file and over HTTP alike."""

from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.snapshot import Snapshot
from models.artefact import Artefact, require_feature_version
from models.policy import Bands
from models.reasons import REASONS_TYPE, reasons_array, top_reasons
from models.scoring import Probabilities, Scorer, Scores

Floats = NDArray[np.float64]

SCORE_SCHEMA = pa.schema([
    ("sku_id", pa.string()), ("market", pa.string()), ("as_of", pa.date32()),
    ("p_fail", pa.float64()), ("p_low", pa.float64()), ("p_high", pa.float64()),
    ("band", pa.string()), ("rank", pa.int64()), ("reasons", REASONS_TYPE),
    ("model_version", pa.string()), ("feature_version", pa.string()), ("policy_version", pa.string()),
])  # fmt: skip


class Assessor:
    """One model and one policy, ready to write score rows; the day is the snapshot's.

    Raises Refusal where the model reads other features than the snapshot holds.
    """

    def __init__(self, artefact: Artefact, snapshot: Snapshot, bands: Bands, threads: int = 1) -> None:
        require_feature_version(artefact, snapshot.feature_version)
        self._artefact = artefact
        self._scorer = Scorer(artefact, threads)
        self._bands = bands
        self._as_of = snapshot.as_of

    @property
    def as_of(self) -> date:
        """The day the scores are for."""
        return self._as_of

    @property
    def policy_version(self) -> str:
        """The version of the bands."""
        return self._bands.version

    def score(self, matrix: Floats) -> Scores:
        """Probabilities and contributions of each row of `matrix` (rows, features)."""
        return self._scorer.score(matrix)

    def probabilities(self, matrix: Floats) -> Probabilities:
        """Probabilities of each row of `matrix`, without explanation."""
        return self._scorer.probabilities(matrix)

    def rows(self, keys: pa.Table, matrix: Floats, told: Probabilities, ranks: NDArray[np.int64]) -> pa.Table:
        """Score rows in SCORE_SCHEMA; `reasons` is null where `told` holds no contributions.

        `keys` has sku_id and market, one row per row of `matrix`, `told` and `ranks`.
        """
        rows = len(matrix)
        columns = {
            "sku_id": keys["sku_id"], "market": keys["market"], "as_of": _repeated(self._as_of, rows, pa.date32()),
            "p_fail": told.p_fail, "p_low": told.p_low, "p_high": told.p_high,
            "band": pa.array(self._bands.band(told.p_fail).tolist(), pa.string()), "rank": ranks,
            "reasons": self._reasons(matrix, told),
            "model_version": _repeated(self._artefact.version, rows, pa.string()),
            "feature_version": _repeated(self._artefact.feature_version, rows, pa.string()),
            "policy_version": _repeated(self._bands.version, rows, pa.string()),
        }  # fmt: skip
        return pa.table(columns, schema=SCORE_SCHEMA)

    def _reasons(self, matrix: Floats, told: Probabilities) -> pa.Array:
        if not isinstance(told, Scores):
            return pa.nulls(len(matrix), REASONS_TYPE)
        top = top_reasons(told.contributions)
        return reasons_array(matrix, told.contributions, top, self._artefact.feature_names)


def _repeated(value: object, rows: int, kind: pa.DataType) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), rows)
