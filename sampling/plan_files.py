"""The plans of a workspace's rounds as written; none ever changes."""

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data.workspace import Workspace

RECORD_FILE, PLAN_FILE = "round.json", "plan.parquet"
_TEXT = ("round_id", "sku_id", "market", "package", "lab_id", "method", "confirming_package")
_NUMBERS = ("inclusion_probability", "confirmation_probability", "sensitivity", "p_fail")
_SCHEMA = pa.schema([
    *((name, pa.string()) for name in _TEXT), *((name, pa.float64()) for name in _NUMBERS),
    ("as_of", pa.date32()), ("due_on", pa.date32()), ("confirmed", pa.bool_()),
])  # fmt: skip


def round_ids(workspace: Workspace) -> list[str]:
    """The rounds of a workspace, by day."""
    return sorted(path.parent.name for path in workspace.plans.glob(f"[!.]*/{RECORD_FILE}"))


def planned_tests(workspace: Workspace, rounds: Collection[str] | None = None) -> pa.Table:
    """The tests of all rounds, or of some, as their plans say; null where a plan of an earlier version has no such."""
    names = [name for name in round_ids(workspace) if rounds is None or name in rounds]
    plans = [_read_plan(workspace.plans / name / PLAN_FILE) for name in names]
    return pa.concat_tables(plans or [_SCHEMA.empty_table()])


@lru_cache(maxsize=512)
def _read_plan(path: Path) -> pa.Table:
    return pq.read_table(path, schema=_SCHEMA)
