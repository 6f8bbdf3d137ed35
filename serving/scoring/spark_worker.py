"""Functions of one Spark worker: batches of features to score rows, and sorted score rows to ranked parts."""

from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.workspace import replace_atomically
from features.snapshot.reader import KEY_COLUMNS
from models.artifact import read_artifact
from models.risk_bands import bands_in_force
from serving.score_rows import RANK, SCORE_SCHEMA, RowScorer, score_batch


def score_batches(batches: Iterable[pa.RecordBatch], model: Path, as_of: date) -> Iterator[pa.RecordBatch]:
    """Batches of SCORE_SCHEMA without ranks for batches of KEY_COLUMNS and the features (float64, null = missing).

    `model` is the folder of an artifact, verified and loaded once per Python worker.
    """
    scorer, feature_names = _scorer(model, as_of)
    for batch in batches:
        matrix = np.empty((batch.num_rows, len(feature_names)))
        for column, name in enumerate(feature_names):
            matrix[:, column] = batch.column(name).to_numpy(zero_copy_only=False)
        yield score_batch(scorer, batch.select(list(KEY_COLUMNS)), matrix)


def write_ranked(source: Path, target: Path, ranked_before: int) -> int:
    """Write the sorted rows of `source` as the part `target` in SCORE_SCHEMA and return their number.

    Ranks continue after `ranked_before`. The part appears whole or not at all, however often it is written.
    """
    rows = pq.ParquetFile(source).read()
    ranks = pa.array(np.arange(ranked_before + 1, ranked_before + rows.num_rows + 1))
    ranked = rows.set_column(RANK, SCORE_SCHEMA.field(RANK), ranks).cast(SCORE_SCHEMA)
    with replace_atomically(target) as attempt:
        pq.write_table(ranked, attempt, compression="zstd")
    return int(rows.num_rows)


@cache
def _scorer(model: Path, as_of: date) -> tuple[RowScorer, tuple[str, ...]]:
    """The scorer of this Python worker and the columns it reads; one thread, since Spark runs a task on each core."""
    artifact = read_artifact(model)
    return RowScorer(artifact, as_of, bands_in_force(as_of), threads=1), artifact.feature_names
