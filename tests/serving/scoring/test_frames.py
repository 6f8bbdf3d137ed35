"""A frame of features gets the scores that the catalogue got, by MLflow's flavors and by `touchstone.explain_frame`."""

import warnings
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.errors import UserError
from data.progress import SilentProgress
from models.frames import KEYS, score_frame
from models.registry import champion_version, load_champion, model_folder
from models.scorer import Scorer
from serving.online.store import open_online_store
from serving.schemas import Item
from tests.features.catalogues import DAY
from tests.serving.conftest import Scored
from touchstone import explain_frame
from training.dataset.frame import write_catalogue_frame
from training.lifecycle.mlflow_flavors import save_model

NUMBERS = ["margin", "p_fail", "p_low", "p_high"]


@pytest.fixture(scope="module")
def frame(scored: Scored, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """What `touchstone frame --as-of` writes of the scored catalogue."""
    out = tmp_path_factory.mktemp("frame") / "catalogue.parquet"
    write_catalogue_frame(scored.tables, load_champion(scored.workspace), DAY, out, SilentProgress())
    rows: pd.DataFrame = pq.read_table(out).to_pandas()
    return rows


@pytest.fixture(scope="module")
def published(scored: Scored) -> pd.DataFrame:
    """The score rows that `touchstone score` wrote, in the order of the catalogue."""
    parts = [pq.read_table(path) for path in sorted(scored.scores.glob("part-*.parquet"))]
    rows: pd.DataFrame = pa.concat_tables(parts).to_pandas()
    return rows


@pytest.fixture(scope="module")
def model(scored: Scored, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The champion as MLflow stores it."""
    champion = champion_version(scored.workspace)
    assert champion is not None
    folder = tmp_path_factory.mktemp("mlflow") / "model"
    save_model(model_folder(scored.workspace, champion), folder)
    return folder


def loaded(model: Path, flavor: str) -> Any:
    """The model by one of MLflow's flavors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        import mlflow.lightgbm
        import mlflow.pyfunc
    return (mlflow.pyfunc if flavor == "pyfunc" else mlflow.lightgbm).load_model(str(model))


def as_lists(reasons: pd.Series) -> list[list[dict[str, Any]]]:
    """Reasons of rows as plain lists."""
    return [list(each) for each in reasons]


def test_the_pyfunc_model_gives_what_touchstone_score_wrote(
    frame: pd.DataFrame, published: pd.DataFrame, model: Path
) -> None:
    """To the last bit, whatever the order of rows and columns, with other columns beside the features."""
    mixed = frame.sample(frac=1, random_state=3)[list(frame.columns[::-1])].assign(note="mine")
    predicted = loaded(model, "pyfunc").predict(mixed)
    assert list(predicted.columns) == [*KEYS, *NUMBERS, "reasons"]
    assert predicted.index.equals(mixed.index)
    predicted = predicted.sort_index()
    expected = frame[list(KEYS)].merge(published, on=list(KEYS), how="left")
    assert predicted[[*KEYS, *NUMBERS]].equals(expected[[*KEYS, *NUMBERS]])
    assert as_lists(predicted["reasons"]) == as_lists(expected["reasons"])


def test_the_lightgbm_model_is_the_booster_of_the_artifact(scored: Scored, model: Path) -> None:
    """And no file of the model is a pickle."""
    booster = loaded(model, "lightgbm")
    assert isinstance(booster, lgb.Booster)
    assert tuple(booster.feature_name()) == load_champion(scored.workspace).feature_names
    assert {path.suffix for path in model.rglob("*") if path.is_file()} <= {
        "", ".txt", ".json", ".toml", ".md", ".parquet", ".yaml", ".py",
    }  # fmt: skip


def test_explain_frame_gives_the_score_rows_of_the_service(scored: Scored, frame: pd.DataFrame) -> None:
    store, few = open_online_store(scored.workspace), frame.head(5)
    explained = explain_frame(few, scored.workspace.home)
    for (_, key), row in zip(few.iterrows(), explained.to_dict("records"), strict=True):
        expected = store.score_row(Item(sku_id=key["sku_id"], market=key["market"])).model_dump(exclude={"rank"})
        assert row == expected


def test_a_frame_without_keys_or_rows_is_scored_and_unknown_values_may_be_none(scored: Scored) -> None:
    scorer = Scorer(load_champion(scored.workspace))
    names = scorer.artifact.feature_names
    unknown = pd.DataFrame({name: pd.Series([None, np.nan], dtype=object) for name in names})
    rows = score_frame(scorer, unknown)
    assert list(rows.columns) == [*NUMBERS, "reasons"]
    assert rows["margin"].tolist() == scorer.margin(np.full((2, len(names)), np.nan)).tolist()
    assert len(score_frame(scorer, unknown.head(0))) == 0


def test_a_frame_that_cannot_be_scored_is_refused_by_the_names_of_its_columns(
    scored: Scored, frame: pd.DataFrame
) -> None:
    scorer = Scorer(load_champion(scored.workspace))
    first, second, *_ = scorer.artifact.feature_names
    with pytest.raises(UserError, match=f"lacks the features {first} and {second}, which the model reads. Give the"):
        score_frame(scorer, frame.drop(columns=[first, second]))
    more = len(scorer.artifact.feature_names) - 8
    with pytest.raises(UserError, match=f"lacks the features {first}, .* and {more} more, which"):
        score_frame(scorer, frame[list(KEYS)])
    with pytest.raises(UserError, match=f"column {first} of the frame holds what is no number: .*'much'"):
        score_frame(scorer, frame.assign(**{first: "much"}))
    with pytest.raises(UserError, match=f"has the column {first} more than once. Keep one."):
        score_frame(scorer, pd.concat([frame, frame[[first]]], axis=1))
    with pytest.raises(UserError, match="column as_of of the frame holds 'someday', which is no day"):
        explain_frame(frame.head(1).assign(as_of="someday"), scored.workspace.home)
