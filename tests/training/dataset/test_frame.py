"""The frames that data scientists get hold what training sees, and say what each column means."""

import json
import re
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from data.errors import UserError
from data.progress import SilentProgress
from data.workspace import Workspace
from features.point_in_time import feature_frame
from features.registry import FEATURE_NAMES
from features.version import feature_version
from models.registry import load_champion
from tests.features.catalogues import DAY, small_catalogue
from tests.models.worlds import tiny_champion
from tests.training.worlds import market_frames, small_recipe, tables_of
from touchstone import main
from training.dataset.frame import write_catalogue_frame, write_label_frame
from training.dataset.labels import build_labels
from training.dataset.splits import split_by_time
from training.fitting.model import build_training_set

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/frames.md"


@pytest.fixture(scope="module")
def labels_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The labels of a small marketplace, as a frame."""
    path = tmp_path_factory.mktemp("frame") / "labels.parquet"
    write_label_frame(tables_of(market_frames(600)), small_recipe(periods="1"), None, path, SilentProgress())
    return path


def test_the_frame_of_labels_is_what_training_sees(labels_file: Path) -> None:
    tables, recipe = tables_of(market_frames(600)), small_recipe(periods="1")
    labels = build_labels(tables, rule=recipe.labels)
    split = split_by_time(labels, None, recipe.split)
    expected = build_training_set(tables, labels, split, recipe, SilentProgress())
    frame = pd.read_parquet(labels_file)
    assert frame["test_id"].tolist() == labels["test_id"].tolist()
    assert frame["failed"].tolist() == labels["failed"].tolist()
    np.testing.assert_array_equal(frame[list(FEATURE_NAMES)].to_numpy(), expected.features.to_numpy())
    for name in ("train", "calibration", "test"):
        assert np.flatnonzero(frame["period"] == name).tolist() == getattr(split, name).tolist()
    assert frame["fold"].notna().equals(frame["period"] == "train")
    assert frame["weight"].notna().equals(frame["period"] == "train")
    assert frame.dropna(subset="fold").groupby("group")["fold"].nunique().max() == 1


def test_every_column_says_what_it_means(labels_file: Path) -> None:
    schema = pq.read_schema(labels_file)
    assert all(field.metadata[b"meaning"] for field in schema)
    assert [field.name for field in schema if b"unit" in field.metadata] == list(FEATURE_NAMES)
    made = json.loads(schema.metadata[b"touchstone"])
    assert made["feature_version"] == feature_version()
    assert set(made) == {"recipe", "test_from", "lake", "feature_version"}
    assert schema.field("as_of").type == pa.date32()


def test_the_frame_of_the_catalogue_has_the_features_of_the_day(tmp_path: Path) -> None:
    workspace, tables = Workspace(tmp_path), small_catalogue(60)
    tiny_champion(workspace)
    model = load_champion(workspace)
    schema = write_catalogue_frame(tables, model, DAY, tmp_path / "c.parquet", SilentProgress())
    frame = pd.read_parquet(tmp_path / "c.parquet")
    expected = feature_frame(tables, frame[["sku_id", "market", "as_of"]], model.reference)
    assert len(frame) == tables["skus"].count().to_pyarrow().as_py()
    np.testing.assert_allclose(frame[list(FEATURE_NAMES)], expected[list(FEATURE_NAMES)], rtol=1e-9, atol=1e-9)
    assert json.loads(schema.metadata[b"touchstone"])["model"] == model.version
    with pytest.raises(UserError, match="No SKU is listed by 1990-01-01"):
        write_catalogue_frame(tables, model, date(1990, 1, 1), tmp_path / "none.parquet", SilentProgress())
    assert [path.name for path in tmp_path.iterdir() if "none" in path.name or path.name.startswith(".frame")] == []


def test_the_notebook_of_the_document_runs(
    labels_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [code] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(labels_file.parent)
    exec(compile(code, str(DOCUMENT), "exec"), {})  # noqa: S102 - our own document
    said = capsys.readouterr().out
    assert re.search(r"AUC 0\.\d{3} on \d+ tests", said)
    assert said.count("\n  ") == 5


def test_one_of_two_frames_is_asked_for(tmp_path: Path) -> None:
    for options in ((), ("--tests", "--as-of", "2026-06-30")):
        said = CliRunner().invoke(main, ["--home", str(tmp_path), "frame", *options, "--out", "f.parquet"])
        assert said.exit_code == 2
        assert "Give either --tests or --as-of DAY." in said.output
