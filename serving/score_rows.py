"""The score row of one SKU: the same in the Parquet files and over HTTP."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.artifact import Artifact
from models.harm_assessment import HarmAssessor
from models.hazard_shares import CELL
from models.reasons import REASONS_TYPE, STORED_REASONS, reasons_array
from models.risk_bands import RiskBands
from models.risk_levels import LEVELS, UNKNOWN, risk_levels_in_force
from models.scorer import Explanations, Probabilities, Scorer, Scores

Floats = NDArray[np.float64]
Ranks = NDArray[np.int64]
RowsT = TypeVar("RowsT", pa.RecordBatch, pa.Table)

SCORE_SCHEMA = pa.schema([
    ("sku_id", pa.string()), ("market", pa.string()), ("as_of", pa.date32()),
    ("margin", pa.float64()), ("p_fail", pa.float64()), ("p_low", pa.float64()), ("p_high", pa.float64()),
    ("band", pa.string()), ("hazard", pa.string()), ("hazard_share", pa.float64()), ("risk_level", pa.string()),
    ("rank", pa.int64()), ("reasons", REASONS_TYPE),
    ("model_version", pa.string()), ("feature_version", pa.string()), ("policy_version", pa.string()),
])  # fmt: skip
"""`margin` is raw log-odds and decides between equal probabilities; the rank is 0 until all rows are scored.

`hazard` is what most likely fails if the SKU does, `hazard_share` how much of its failures that is (0 to 1), and
`risk_level` the level of its most serious hazard by `policy/risk_levels`; null where no failure of its category is
known.
"""

RANK = SCORE_SCHEMA.get_field_index("rank")


class RowScorer:
    """One model, one day and its policies, ready to write score rows on `threads` threads.

    The matrices must hold the features of the artifact's feature version. Raises UserError as `Scorer`.
    """

    def __init__(self, artifact: Artifact, as_of: date, bands: RiskBands, threads: int = 1) -> None:
        self.as_of = as_of
        self.policy_version = bands.version
        self._scorer = Scorer(artifact, threads)
        self.bands = bands
        self.harms = HarmAssessor(artifact.reference, artifact.feature_names, risk_levels_in_force(as_of))
        self._feature_names = pa.array(list(artifact.feature_names), pa.string())

    def explain(self, matrix: Floats) -> Explanations:
        """Probabilities and the strongest contributions of each row of `matrix` (rows, features)."""
        return self._scorer.explain(matrix, STORED_REASONS)

    def score(self, matrix: Floats) -> Scores:
        """Probabilities and the contribution of every feature of each row of `matrix`."""
        return self._scorer.score(matrix)

    def interactions(self, matrix: Floats) -> Floats:
        """Interactions (rows, features, features) of each row of `matrix`, as of `Scorer`."""
        return self._scorer.interactions(matrix)

    def probabilities(self, matrix: Floats) -> Probabilities:
        """Probabilities of each row of `matrix`, without explanation."""
        return self._scorer.probabilities(matrix)

    def score_rows(self, keys: pa.RecordBatch, matrix: Floats, scores: Probabilities) -> pa.RecordBatch:
        """Score rows in SCORE_SCHEMA, their rank 0; `reasons` is null where `scores` has no explanations.

        `keys` has sku_id, market, supplier_id and category, one row per row of `matrix` and `scores`.
        """
        count, artifact = len(matrix), self._scorer.artifact
        cells = zip(*(keys[name].to_pylist() for name in CELL), strict=True)
        harm = self.harms.assess(cells, matrix, scores.p_fail)
        columns = {
            "sku_id": keys["sku_id"], "market": keys["market"], "as_of": _constant(self.as_of, count, pa.date32()),
            "margin": pa.array(scores.margin), "p_fail": pa.array(scores.p_fail),
            "p_low": pa.array(scores.p_low), "p_high": pa.array(scores.p_high),
            "band": pa.array(self.bands.names, pa.string()).take(pa.array(self.bands.rank(scores.p_fail))),
            "hazard": harm.hazard_names, "hazard_share": pa.array(harm.hazard_share, from_pandas=True),
            "risk_level": harm.risk_level_names, "rank": _constant(0, count, pa.int64()),
            "reasons": self._reasons(matrix, scores),
            "model_version": _constant(artifact.version, count, pa.string()),
            "feature_version": _constant(artifact.feature_version, count, pa.string()),
            "policy_version": _constant(self.policy_version, count, pa.string()),
        }  # fmt: skip
        return pa.RecordBatch.from_arrays([columns[name] for name in SCORE_SCHEMA.names], schema=SCORE_SCHEMA)

    def harm_columns(
        self, cells: Iterable[tuple[str | None, ...]], matrix: Floats, p_fail: Floats
    ) -> dict[str, list[Any]]:
        """The columns of score rows on what would fail, None where unknown; `cells` are keys as in CELL."""
        harm = self.harms.assess(cells, matrix, p_fail)
        shares = [None if math.isnan(share) else share for share in harm.hazard_share.tolist()]
        # By hand: Arrow takes longer for the few rows of a question.
        hazards = [None if code == UNKNOWN else harm.hazards[code] for code in harm.hazard.tolist()]
        levels = [None if code == UNKNOWN else LEVELS[code] for code in harm.risk_level.tolist()]
        return {"hazard": hazards, "hazard_share": shares, "risk_level": levels}

    def _reasons(self, matrix: Floats, scores: Probabilities) -> pa.Array:
        if not isinstance(scores, Explanations):
            return pa.nulls(len(matrix), REASONS_TYPE)
        values = np.take_along_axis(matrix, scores.strongest, axis=1)
        return reasons_array(values, scores.strongest, scores.contributions, self._feature_names)


def score_batch(scorer: RowScorer, keys: pa.RecordBatch, matrix: Floats) -> pa.RecordBatch:
    """Score rows with reasons, their rank 0: keys as in `score_rows` and features in, SCORE_SCHEMA out.

    A row's score depends on that row alone, so any engine may call this on any share of the catalogue.
    """
    return scorer.score_rows(keys, matrix, scorer.explain(matrix))


@dataclass(frozen=True)
class RankedScores:
    """Rank (1 = riskiest) and p_fail of every row of a snapshot, in its order."""

    ranks: Ranks
    p_fail: Floats


def with_ranks(rows: RowsT, ranks: Ranks) -> RowsT:
    """The score rows with their ranks."""
    return rows.set_column(RANK, SCORE_SCHEMA.field(RANK), pa.array(ranks))


def compute_ranks(margins: Floats, p_fail: Floats) -> Ranks:
    """1 = riskiest: by p_fail, then by margin, equals in catalogue order."""
    ranks = np.empty(len(margins), dtype=np.int64)
    ranks[np.lexsort((-margins, -p_fail))] = np.arange(1, len(margins) + 1)
    return ranks


def _constant(value: object, count: int, kind: pa.DataType) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), count)
