"""Old snapshots, dossiers and queues go; what is in service, or may be needed again, stays."""

import os
import shutil
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import pytest

from data.progress import SilentProgress
from data.workspace import Workspace
from models.registry import load_champion
from serving.online.hot_reload import HotReloader
from serving.online.store import open_online_store
from serving.publication import publications
from serving.schemas import Item
from serving.scoring.batch import score_catalogue
from serving.scoring.retention import prune
from tests.features.catalogues import DAY
from tests.serving.conftest import Scored, scored_workspace

DAYS = 5
ITEM = Item(sku_id="K-1", market="DE")


def day(number: int) -> date:
    """The day of one of the scorings."""
    return DAY + timedelta(days=number)


def aged(workspace: Workspace, days: float) -> None:
    """Let all that was written for the service look so much older than the publication in service."""
    now = (publications(workspace) / "CURRENT").stat().st_mtime
    for folder in _written(workspace, ("snapshots/*/*", "dossiers/*/*", "queues/*")):
        os.utime(folder, (now - 86_400 * days, now - 86_400 * days))


def _written(workspace: Workspace, globs: Iterable[str]) -> list[Path]:
    return [folder for pattern in globs for folder in workspace.home.glob(pattern)]


def days_of(workspace: Workspace, kind: str) -> list[str]:
    """The days of which there is something."""
    return sorted(path.name.removeprefix("as_of=") for path in (workspace.home / kind).glob("as_of=*"))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """A catalogue scored on DAYS days, one after the other."""
    made = scored_workspace(tmp_path_factory.mktemp("days") / "workspace")
    for number in range(1, DAYS):
        score_catalogue(made.workspace, made.tables, load_champion(made.workspace), day(number), SilentProgress())
    return made


@pytest.fixture
def own(template: Scored, tmp_path: Path) -> Workspace:
    """A copy that a test may change, a week old."""
    shutil.copytree(template.workspace.home, tmp_path / "workspace")
    workspace = Workspace(tmp_path / "workspace")
    aged(workspace, 7)
    return workspace


@pytest.mark.parametrize(("keep_days", "left"), [(0, 2), (1, 2), (3, 3), (DAYS, DAYS), (100, DAYS)])
def test_the_latest_days_and_what_publications_name_are_left(own: Workspace, keep_days: int, left: int) -> None:
    """So many days stay, never fewer than the publication in service and its predecessor need; scores all stay."""
    prune(own, keep_days)
    days = [day(number).isoformat() for number in range(DAYS)]
    assert days_of(own, "snapshots") == days_of(own, "dossiers") == days[-left:]
    assert len(list((own.home / "queues").iterdir())) == 2
    assert days_of(own, "scores") == days
    published = open_online_store(own)
    assert published.score_row(ITEM).as_of == day(DAYS - 1)
    assert len(published.queue) == len(published.snapshot) == len(published.dossiers)
    assert prune(own, keep_days) == []


def test_what_is_younger_than_a_day_is_left_alone(own: Workspace) -> None:
    """Another run may have written it and not published it yet."""
    aged(own, 0.9)
    assert prune(own, 0) == []


def test_what_a_killed_run_left_goes_too(own: Workspace) -> None:
    """Attempts and half-deleted folders keep hidden names; once they are old, nobody is at work on them."""
    for parent in ("snapshots", "dossiers"):
        half = own.home / parent / f"as_of={day(DAYS - 1)}" / ".half.12345678"
        half.mkdir()
        (half / "sku.arrow").write_bytes(b"half")
    aged(own, 2)
    prune(own, DAYS)
    assert not list(own.home.rglob(".half*"))


def test_a_service_goes_on_reading_what_it_has_open(own: Workspace, template: Scored) -> None:
    """An answer from a publication whose files are gone is the one from before; the next is opened as ever."""
    reloader = HotReloader(own)
    opened = reloader.store()
    before = opened.score_row(ITEM)
    dossier = opened.dossiers.of(0)
    for number in (DAYS, DAYS + 1):
        score_catalogue(own, template.tables, load_champion(own), day(number), SilentProgress())
    aged(own, 2)
    folders = prune(own, 0)
    assert opened.snapshot.folder in folders
    assert opened.score_row(ITEM) == before
    assert opened.dossiers.of(0) == dossier
    assert HotReloader(own).store().score_row(ITEM).as_of == day(DAYS + 1)


def test_before_the_first_publication_nothing_goes(tmp_path: Path) -> None:
    assert prune(Workspace(tmp_path), 7) == []
