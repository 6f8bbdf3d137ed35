"""A snapshot of a marketplace with every table holds what the pipeline says, however it was cut and cached."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from data.alerts.stored_matches import keep_alert_matches
from data.contract import TABLES
from data.lake.contents import NO_DAY, ContentSums, TableContent
from data.lake.tables import Tables, tables_from_frames
from data.progress import SilentProgress
from data.synthetic.generator import write_sample
from features.fitted_tables import FittedTables
from features.point_in_time import feature_frame
from features.registry import FEATURE_NAMES
from features.review_text.incremental import add_review_tables, add_review_tables_in_memory
from features.snapshot import writer
from features.snapshot.reader import open_snapshot
from features.snapshot.writer import write_snapshot

UNTIL = date(2026, 6, 30)
DAYS = (UNTIL - timedelta(days=60), UNTIL + timedelta(days=1))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """All twelve tables of a sample marketplace."""
    folder = tmp_path_factory.mktemp("marketplace") / "tables"
    write_sample(folder, skus=600, days=400, seed=3, until=UNTIL)
    frames = {t.name: pq.read_table(folder / f"{t.name}.parquet") for t in TABLES}
    return add_review_tables_in_memory(keep_alert_matches(tables_from_frames(frames)))


def matrix_of(tables: Tables, day: date, folder: Path) -> np.ndarray:
    """Every feature of every SKU of the snapshot."""
    write_snapshot(tables, day, FittedTables.untrained(), folder, SilentProgress())
    snapshot = open_snapshot(folder)
    return np.asarray(snapshot.matrix(0, len(snapshot)))


@pytest.mark.parametrize("day", DAYS)
def test_the_snapshot_of_one_day_equals_the_pipeline_over_its_spine(
    tables: Tables, day: date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shortcuts of a single day, spans of entities and reviews read per day change no feature by a bit."""
    monkeypatch.setattr(writer, "PLACES_PER_SPAN", 170)
    monkeypatch.setattr(writer, "EVENTS_PER_SPAN", 250)
    counted = {"orders": TableContent((), {NO_DAY: ContentSums(rows=1_000)})}
    matrix = matrix_of(replace(tables, contents=counted), day, tmp_path / "plain")
    snapshot = open_snapshot(tmp_path / "plain")
    spine = snapshot.keys(0, len(snapshot)).select(["sku_id", "market"]).to_pandas().assign(as_of=day)
    expected = feature_frame(tables, spine, FittedTables.untrained())[list(FEATURE_NAMES)].to_numpy()
    differing = [
        name
        for column, name in enumerate(FEATURE_NAMES)
        if not np.array_equal(matrix[:, column], expected[:, column], equal_nan=True)
    ]
    assert differing == []
    assert np.isfinite(matrix).mean() > 0.5
    for _ in range(2):
        kept = add_review_tables(tables, tmp_path / "review_signals")
        assert np.array_equal(matrix_of(kept, day, tmp_path / "kept"), matrix, equal_nan=True)
