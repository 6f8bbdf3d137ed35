"""How long a page of the queue takes with a million scored SKUs: written, found, and served as a whole page.

python -m benchmarks.queue WORKSPACE ROWS FOLDER: the workspace holds a scored catalogue, FOLDER takes the larger one.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from starlette.testclient import TestClient

from benchmarks.big_snapshot import BigSnapshot
from data.settings import Settings
from data.state.database import open_state
from data.workspace import Workspace
from models.policy import bands_in_force
from models.scoring import Explained
from serving.assessment import ranks_of
from serving.console.app import console_app
from serving.console.house import House
from serving.desk import Desk
from serving.dossiers.dossier import Dossier
from serving.publication import publish
from serving.published import Published, published_now
from serving.queue.alarms import no_alarms
from serving.queue.shape import queue_folder
from serving.queue.told import Told
from serving.queue.writing import Ranked, write_queue

ROWS_PER_BATCH = 65_536
PAGES = {
    "first page, flagged": "/", "last page of the whole catalogue": "/?view=all&page=1000000",
    "most failing units": "/?view=all&sort=harm", "one market, one category": "/?view=all&market=EU&category=childcare",
    "search: two words": "/?view=all&q=usb+charger", "search: one SKU": "/?view=all&q=SKU-000000001",
    "search: nothing": "/?view=all&q=no+such+words", "hazard in reviews": "/?view=all&evidence=reviews",
}  # fmt: skip
TIMES = 9


class BorrowedDossiers:
    """Dossiers of a small catalogue for every position of a large one."""

    def __init__(self, published: Published) -> None:
        self._dossiers = published.dossiers

    def of(self, position: int) -> Dossier:
        """The dossier of another SKU, as heavy as any."""
        return self._dossiers.of(position % len(self._dossiers))


def main(workspace: Workspace, rows: int, folder: Path) -> None:
    """Write and publish the larger catalogue, then measure its pages."""
    small, large = published_now(workspace), Workspace(folder)
    large.models.parent.mkdir(parents=True, exist_ok=True)
    if not large.models.exists():
        large.models.symlink_to(workspace.models)
    snapshot = BigSnapshot(small.snapshot.folder, rows, seed=0).write(folder / "snapshots" / "big")
    parts = [small.assessor.told(snapshot.matrix(at, at + ROWS_PER_BATCH)) for at in range(0, rows, ROWS_PER_BATCH)]
    p_fail = np.concatenate([part.p_fail for part in parts])
    ranks = ranks_of(np.concatenate([part.margin for part in parts]), p_fail)
    publication = replace(
        small.publication,
        snapshot="snapshots/big",
        snapshot_digest=snapshot.digest,
        dossiers=None,
        dossiers_digest=None,
    )
    titles = pa.chunked_array(
        [small.dossiers.titles.combine_chunks().take(pa.array(np.arange(rows) % len(small.p_fail)))]
    )
    start = time.perf_counter()
    write_queue(
        Ranked(snapshot, titles, ranks, p_fail, bands_in_force(publication.as_of), _told(parts), no_alarms(rows)),
        queue_folder(large, publication),
    )
    print(f"The queue of {rows:,} SKUs was written in {time.perf_counter() - start:.1f} s.")
    publish(large, publication, ranks, p_fail)
    _measure(large, BorrowedDossiers(small))


def _told(parts: Sequence[Explained]) -> Told:
    """Interval and strongest contribution of every row."""
    low, high = (np.concatenate([getattr(part, name) for part in parts]) for name in ("p_low", "p_high"))
    return Told(low, high, np.concatenate([part.strongest[:, 0] for part in parts]).astype(np.int16), low)


def _measure(workspace: Workspace, dossiers: BorrowedDossiers) -> None:
    desk = Desk(workspace)
    desk.published().__dict__["_dossiers"] = dossiers
    engine = open_state(f"sqlite:///{workspace.home / 'state.db'}")
    house = House(
        Settings(workspace, None), desk, lambda: engine, lambda _: None, lambda _: None, lambda: datetime.now(UTC),
        True, b"x",
    )  # fmt: skip
    client = TestClient(console_app(lambda: house))
    for name, path in PAGES.items():
        told = sorted(_milliseconds(client, path) for _ in range(TIMES))
        print(f"{name}: median {told[TIMES // 2]:.0f} ms, slowest of {TIMES} {told[-1]:.0f} ms")


def _milliseconds(client: TestClient, path: str) -> float:
    start = time.perf_counter()
    client.get(path).raise_for_status()
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    main(Workspace(Path(sys.argv[1]).resolve()), int(sys.argv[2]), Path(sys.argv[3]).resolve())
