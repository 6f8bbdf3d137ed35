"""The guard of an ingest: a table loses no more rows and days than policy says, unless that was allowed by name."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from data.errors import GuardError
from data.ingest.options import IngestOptions
from data.ingest.pipeline import ingest_folder
from data.lake.store import open_lake
from data.workspace import Workspace
from tests.data.small_marketplace import REQUIRED, TODAY, good_frames, write_parquet


def orders_in(workspace: Workspace) -> int:
    """The orders that the lake holds."""
    return int(open_lake(workspace)["orders"].count().to_pyarrow().as_py())


def many_orders(rows: int) -> pd.DataFrame:
    """Orders of one SKU on so many days, the last of them 2025-12-31."""
    days = pd.date_range(end="2025-12-31", periods=rows).strftime("%Y-%m-%d")
    return pd.DataFrame({"sku_id": "k1", "market": "DE", "happened_on": days, "units": "1"})


@pytest.fixture(scope="module")
def with_orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of the required tables and of 200 days of orders."""
    home, required = tmp_path_factory.mktemp("orders"), {name: good_frames()[name] for name in REQUIRED}
    given = write_parquet({**required, "orders": many_orders(200)}, home / "given")
    ingest_folder(given, Workspace(home / "workspace"), IngestOptions(TODAY))
    return home / "workspace"


@pytest.mark.parametrize(
    ("kept", "guarded"),
    [
        (slice(0, 200), False),
        (slice(10, 200), False),
        (slice(30, 200), True),
        (slice(0, 192), True),
        (slice(199, 200), True),
    ],
)
def test_a_table_may_lose_as_many_rows_and_days_as_policy_says(
    with_orders: Path, tmp_path: Path, kept: slice, *, guarded: bool
) -> None:
    """A tenth of its rows, a week at the end; what is refused changes nothing, and may be allowed by name."""
    made, orders = Workspace(shutil.copytree(with_orders, tmp_path / "workspace")), many_orders(200)
    fewer = write_parquet({"orders": orders.iloc[kept]}, tmp_path / "fewer")
    if guarded:
        with pytest.raises(GuardError, match=r"^Rows would be lost: orders 200 -> .*--allow-shrink orders\.$"):
            ingest_folder(fewer, made, IngestOptions(TODAY))
        assert orders_in(made) == 200
    ingest_folder(fewer, made, IngestOptions(TODAY, allow_shrink=frozenset({"orders"})))
    assert orders_in(made) == len(orders.iloc[kept])
