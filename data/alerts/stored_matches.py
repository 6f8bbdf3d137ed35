"""Matches of alerts kept in the workspace, computed once for a lake and a way of matching."""

from dataclasses import replace
from pathlib import Path

from data.alerts.matching import MATCHES, match_alerts, matching_version
from data.contract import ALERTS
from data.lake.duckdb_engine import literal_path
from data.lake.tables import Tables
from data.workspace import replace_atomically

KEPT = 3


def store_alert_matches(tables: Tables, folder: Path) -> Tables:
    """The tables with MATCHES read from `matches_file`, which is written where it is absent.

    The newest KEPT files stay in `folder`: a run at work may read those of a lake before.
    """
    if not tables.has(ALERTS.name):
        return tables
    path = matches_file(tables.fingerprint, folder)
    if not path.is_file():
        rows = match_alerts(tables).order_by("sku_id", "market", "known_on", "alert_id")
        with replace_atomically(path) as attempt:
            tables.backend.to_parquet(rows, attempt, compression="zstd")
        newest_last = sorted(folder.glob("*.parquet"), key=lambda file: file.stat().st_mtime)
        for old in newest_last[:-KEPT]:
            old.unlink()
    return replace(tables, given={**tables.given, MATCHES: tables.backend.read_parquet(literal_path(path))})


def keep_alert_matches(tables: Tables) -> Tables:
    """The tables with MATCHES, computed now and kept by their backend: for small marketplaces."""
    if not tables.has(ALERTS.name):
        return tables
    rows = tables.backend.create_table(MATCHES, tables.backend.to_pyarrow(match_alerts(tables)), overwrite=True)
    return replace(tables, given={**tables.given, MATCHES: rows})


def matches_file(fingerprint: str, folder: Path) -> Path:
    """The file of the matches of one lake."""
    return folder / f"{fingerprint}-{matching_version()}.parquet"
