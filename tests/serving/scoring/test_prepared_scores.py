"""Score files of another engine, in another order, go into service as those of one machine do."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.errors import UserError
from data.progress import SilentProgress
from models.registry import load_champion
from serving.online.store import open_online_store
from serving.publication import publications, published_name
from serving.review_queue.format import queue_folder
from serving.scoring.batch import publish_scores
from tests.features.catalogues import DAY
from tests.serving.conftest import Scored, scored_workspace


@pytest.fixture
def own(tmp_path: Path) -> Scored:
    """A scored catalogue that a test may change."""
    return scored_workspace(tmp_path / "workspace")


def rewrite(folder: Path, rows: pa.Table) -> None:
    """Put these score rows in place of those of a folder, in two files."""
    for path in folder.iterdir():
        path.unlink()
    for number, start in enumerate((0, len(rows) // 2)):
        pq.write_table(rows.slice(start, len(rows) - len(rows) // 2), folder / f"part-{number:05}.parquet")


def publish(own: Scored) -> None:
    """Put what lies in the folder of scores into service."""
    publish_scores(own.workspace, own.tables, load_champion(own.workspace), DAY, SilentProgress())


def test_files_in_the_order_of_ranks_give_the_same_publication_and_queue(own: Scored) -> None:
    """Byte for byte: neither says in which order the files were."""
    name, queue = (
        published_name(own.workspace),
        queue_folder(own.workspace, open_online_store(own.workspace).publication),
    )
    expected = {path.name: path.read_bytes() for path in queue.iterdir()}
    rows = pa.concat_tables([pq.read_table(path) for path in sorted(own.scores.glob("part-*.parquet"))])
    rewrite(own.scores, rows.sort_by("rank"))
    shutil.rmtree(publications(own.workspace))
    shutil.rmtree(queue)
    publish(own)
    assert published_name(own.workspace) == name
    assert {path.name: path.read_bytes() for path in queue.iterdir()} == expected


@pytest.mark.parametrize("wrong", ["twice", "missing", "model"])
def test_files_of_another_catalogue_or_model_are_refused(own: Scored, wrong: str) -> None:
    """A SKU twice, one that is missing, another model: what is in service stays."""
    before = published_name(own.workspace)
    rows = pa.concat_tables([pq.read_table(path) for path in sorted(own.scores.glob("part-*.parquet"))])
    if wrong == "twice":
        rows = pa.concat_tables([rows.slice(0, len(rows) - 1), rows.slice(0, 1)])
    elif wrong == "missing":
        rows = rows.slice(2)
    else:
        names = pa.array(["m-000000000000"] * len(rows))
        rows = rows.set_column(rows.schema.get_field_index("model_version"), "model_version", names)
    rewrite(own.scores, rows)
    with pytest.raises(UserError, match=r"do not hold each|of another catalogue or model"):
        publish(own)
    assert published_name(own.workspace) == before
