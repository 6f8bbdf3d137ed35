"""Reviews read for hazards: tables beside the marketplace's own, kept up to date where the lake is opened."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from data.lake.store import open_lake
from data.lake.tables import Tables
from data.progress import Progress
from data.workspace import Workspace
from features.reviews import READ, REVIEWS, SIGNALS
from features.text.enrichment import enrich, read_reviews_kept, review_signals
from features.text.records import records_of


def read_lake(workspace: Workspace, progress: Progress | None = None) -> Tables:
    """The lake, as `data.lake.store.open_lake` gives it, with its reviews read; only days that are new or changed take time.

    Raises Refusal where nothing has been ingested.
    """
    return with_reviews_read(open_lake(workspace), workspace.review_signals, progress)


def with_reviews_read(tables: Tables, folder: Path, progress: Progress | None = None) -> Tables:
    """The tables with READ (a row per review) and SIGNALS (a row per mention) of the reviews, kept in `folder`."""
    if not tables.has(REVIEWS):
        return tables
    enrich(tables, folder, progress=progress)
    read = {READ: read_reviews_kept(tables, folder), SIGNALS: review_signals(tables, folder)}
    return replace(tables, given={**tables.given, **read})


def read_at_once(tables: Tables) -> Tables:
    """The tables with READ and SIGNALS, computed now and kept in memory: for small marketplaces."""
    if not tables.has(REVIEWS):
        return tables
    given = pl.from_arrow(tables.backend.to_pyarrow(tables[REVIEWS]))
    assert isinstance(given, pl.DataFrame)
    records = records_of(given)
    rows = {READ: records.reviews, SIGNALS: records.mentions}
    read = {name: tables.backend.create_table(name, frame.to_arrow(), overwrite=True) for name, frame in rows.items()}
    return replace(tables, given={**tables.given, **read})
