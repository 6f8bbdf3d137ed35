"""A disk that is full while scores are written leaves what is in service, and room again is all that is needed."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.progress import SilentProgress
from models.registry import load_champion
from serving.online.store import open_online_store
from serving.publication import publications, published_name
from serving.schemas import Item
from serving.scoring.batch import score_catalogue
from tests.features.catalogues import DAY
from tests.serving.conftest import scored_workspace

TOMORROW = DAY.replace(day=11)


@contextmanager
def no_file_longer_than(most_bytes: int) -> Iterator[None]:
    """The system refuses to write past `most_bytes` of any file, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_whatever_file_no_longer_fits_the_present_scores_stay_and_the_next_run_succeeds(tmp_path: Path) -> None:
    made = scored_workspace(tmp_path / "workspace")
    workspace, item = made.workspace, Item(sku_id="K-1", market="DE")
    artifact = load_champion(workspace)
    before, answer = published_name(workspace), open_online_store(workspace).score_row(item)
    failed = []
    for most_bytes in (500, 1_500, 5_000, 15_000, 40_000, 10**9):
        with no_file_longer_than(most_bytes):
            try:
                score_catalogue(workspace, made.tables, artifact, TOMORROW, SilentProgress())
            except OSError as error:
                failed.append(str(error))
        if published_name(workspace) == before:
            assert "File too large" in failed[-1]
            assert open_online_store(workspace).score_row(item) == answer
        for folder in (publications(workspace), workspace.home / "snapshots", workspace.home / "dossiers"):
            assert not list(folder.rglob(".*"))
    assert len(failed) >= 3
    assert published_name(workspace) != before
    assert open_online_store(workspace).score_row(item).as_of == TOMORROW
