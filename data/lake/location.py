"""Where the current lake keeps a table, for readers that need no engine."""

from pathlib import Path

from data.workspace import Workspace, read_pointer

POINTER = "CURRENT"


def table_path(folder: Path, name: str) -> Path:
    """Where the lake `folder` keeps a table: the file `<table>.parquet`, or the folder of all its Parquet files."""
    file = folder / f"{name}.parquet"
    return folder / name if not file.is_file() and (folder / name).is_dir() else file


def current_table(workspace: Workspace, name: str) -> Path | None:
    """File or folder of the rows of an ingested table (pyarrow reads both), None where there is none."""
    fingerprint = read_pointer(workspace.lake / POINTER)
    path = table_path(workspace.lake / fingerprint, name) if fingerprint else None
    return path if path is not None and path.exists() else None
