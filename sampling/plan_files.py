"""The plans of a workspace's rounds as written; none ever changes."""

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data.workspace import Workspace

RECORD_FILE, PLAN_FILE = "round.json", "plan.parquet"
_COLUMNS = ["round_id", "sku_id", "market", "package", "lab_id", "method", "as_of", "due_on", "inclusion_probability"]
_TYPES = {"as_of": pa.date32(), "due_on": pa.date32(), "inclusion_probability": pa.float64()}


def round_ids(workspace: Workspace) -> list[str]:
    """The rounds of a workspace, by day."""
    return sorted(path.parent.name for path in workspace.plans.glob(f"[!.]*/{RECORD_FILE}"))


def planned_tests(workspace: Workspace, rounds: Collection[str] | None = None) -> pa.Table:
    """The tests of all rounds, or of some, as their plans say."""
    names = [name for name in round_ids(workspace) if rounds is None or name in rounds]
    nothing = pa.schema([(name, _TYPES.get(name, pa.string())) for name in _COLUMNS]).empty_table()
    return pa.concat_tables([_read_plan(workspace.plans / name / PLAN_FILE) for name in names] or [nothing])


@lru_cache(maxsize=512)
def _read_plan(path: Path) -> pa.Table:
    return pq.read_table(path, columns=_COLUMNS)
