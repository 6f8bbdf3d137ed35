"""A snapshot of a marketplace with every table holds what the pipeline says, however it was cut and cached."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from data.contract import TABLES
from data.marketplace.sample import write_sample
from data.progress import SilentProgress
from data.tables import Tables, tables_from_frames
from features import snapshot_writing
from features.catalogue import FEATURE_NAMES
from features.pipeline import feature_frame
from features.reference import Reference
from features.snapshot import open_snapshot
from features.snapshot_writing import write_snapshot

UNTIL = date(2026, 6, 30)
DAYS = (UNTIL - timedelta(days=60), UNTIL + timedelta(days=1))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """All eleven tables of a sample marketplace."""
    folder = tmp_path_factory.mktemp("marketplace") / "tables"
    write_sample(folder, skus=600, days=400, seed=3, until=UNTIL)
    return tables_from_frames({table.name: pq.read_table(folder / f"{table.name}.parquet") for table in TABLES})


def matrix_of(tables: Tables, day: date, folder: Path, partials: Path | None = None) -> np.ndarray:
    """Every feature of every SKU of the snapshot."""
    write_snapshot(tables, day, Reference.untrained(), folder, SilentProgress(), partials)
    snapshot = open_snapshot(folder)
    return np.asarray(snapshot.matrix(0, len(snapshot)))


@pytest.mark.parametrize("day", DAYS)
def test_the_snapshot_of_one_day_equals_the_pipeline_over_its_spine(
    tables: Tables, day: date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shortcuts of a single day, spans of SKUs and reviews read per day change no feature by a bit."""
    monkeypatch.setattr(snapshot_writing, "PLACES_PER_SPAN", 170)
    matrix = matrix_of(tables, day, tmp_path / "plain")
    snapshot = open_snapshot(tmp_path / "plain")
    spine = snapshot.keys(0, len(snapshot)).select(["sku_id", "market"]).to_pandas().assign(as_of=day)
    expected = feature_frame(tables, spine, Reference.untrained())[list(FEATURE_NAMES)].to_numpy()
    differing = [
        name
        for column, name in enumerate(FEATURE_NAMES)
        if not np.array_equal(matrix[:, column], expected[:, column], equal_nan=True)
    ]
    assert differing == []
    assert np.isfinite(matrix).mean() > 0.5
    for _ in range(2):
        cached = matrix_of(tables, day, tmp_path / "cached", tmp_path / "partials")
        assert np.array_equal(cached, matrix, equal_nan=True)
