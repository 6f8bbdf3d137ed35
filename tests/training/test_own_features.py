"""The example of docs/own-features.md: own columns that alone decide what fails, from ingest to reasons; and leaks."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from data.errors import UserError
from data.ingest.options import IngestOptions
from data.ingest.pipeline import ingest_folder
from data.lake.tables import Tables
from data.own_features import features_path
from data.progress import SilentProgress
from data.workspace import Workspace
from features.version import feature_version
from models.artifact import Artifact
from models.reasons import ReasonWriter, RowContext
from models.scorer import Scorer
from tests.training.worlds import small_recipe
from training.dataset.labels import build_labels
from training.dataset.own_columns import read_training_tables
from training.dataset.splits import split_by_time
from training.evaluation.leakage import LeakageError, audit_leakage
from training.fitting.model import FittedModel, TrainingSet, build_training_set, fit_model
from training.fitting.target_encoding import out_of_fold

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs/own-features.md").read_text(encoding="utf-8")
[DECLARED] = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
TODAY = date(2026, 6, 30)
RECIPE = small_recipe(minimum_labels="100")
GLAZES = {"clear": -2.2, "blue": -1.5, "green": -1.0, "red lead": 1.8}


def kilns(tests: int = 1_500, seed: int = 1) -> dict[str, pd.DataFrame]:
    """Tableware, each piece of another supplier and tested once: glaze and kiln alone decide what fails."""
    draw = np.random.default_rng(seed)
    number = pd.Series(range(tests)).map("{:04d}".format)
    celsius, glazes = draw.normal(1040, 60, tests), draw.choice(list(GLAZES), tests)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(draw.integers(720, size=tests), unit="D")
    margin = pd.Series(glazes).map(GLAZES) - (celsius - 1040) / 40
    quarters = pd.date_range("2023-09-01", "2025-12-01", freq="90D")
    noise = draw.normal(0, 15, tests * len(quarters))
    return {
        "suppliers": pd.DataFrame({"supplier_id": "S" + number, "onboarded_on": "2020-01-01"}),
        "skus": pd.DataFrame({
            "sku_id": "K" + number, "market": "EU", "supplier_id": "S" + number, "category": "tableware",
            "listed_on": "2023-01-10", "glaze": glazes,
        }),
        "lab_tests": pd.DataFrame({
            "test_id": "T" + number, "sku_id": "K" + number, "market": "EU", "happened_on": days,
            "known_on": days + pd.Timedelta(days=8), "origin": "warehouse",
            "result": np.where(draw.random(tests) < 1 / (1 + np.exp(-margin)), "fail", "pass"),
        }),
        "attributes": pd.DataFrame({
            "entity": "supplier", "id": np.repeat("S" + number, len(quarters)), "name": "kiln_temperature",
            "value": np.round(np.repeat(celsius, len(quarters)) + noise),
            "happened_on": np.tile(quarters, tests),
        }),
    }  # fmt: skip


def workspace_with(frames: dict[str, pd.DataFrame], home: Path, declared: str = DECLARED) -> Workspace:
    """A workspace with these tables, ingested once before and once after the declarations were written."""
    workspace, source = Workspace(home / "workspace"), home / "tables"
    source.mkdir()
    for name, frame in frames.items():
        frame.to_csv(source / f"{name}.csv", index=False)
    report = ingest_folder(source, workspace, IngestOptions(TODAY))
    assert "[feature.glaze]" in report.declarable
    features_path(workspace).write_text(declared, encoding="utf-8")
    assert not ingest_folder(source, workspace, IngestOptions(TODAY)).declarable
    return workspace


def training_set_of(tables: Tables) -> TrainingSet:
    labels = build_labels(tables)
    return build_training_set(tables, labels, split_by_time(labels, None, RECIPE.split), RECIPE, SilentProgress())


def later_auc(training_set: TrainingSet, model: FittedModel) -> float:
    """AUC on the tests after training."""
    test = training_set.split.test
    return float(roc_auc_score(training_set.failed(test), model.margin(training_set.matrix(test))))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The tables of the example with its own features."""
    workspace = workspace_with(kilns(), tmp_path_factory.mktemp("kilns"))
    return read_training_tables(workspace, TODAY, SilentProgress())


@pytest.fixture(scope="module")
def training_set(tables: Tables) -> TrainingSet:
    return training_set_of(tables)


@pytest.mark.slow
def test_the_example_learns_from_its_own_columns_and_says_so(tables: Tables, training_set: TrainingSet) -> None:
    """Without them the model knows nothing; with them it ranks well, and its reasons name them."""
    model = fit_model(training_set, RECIPE, SilentProgress())
    assert later_auc(training_set, model) > 0.7
    blind = training_set_of(replace(tables, own_features=()))
    assert 0.43 < later_auc(blind, fit_model(blind, RECIPE, SilentProgress())) < 0.57
    artifact = Artifact(
        model.booster.model_to_string(), model.calibration, training_set.feature_set.names,
        feature_version(training_set.reference), training_set.reference, RECIPE.text, {}, "", version="m-0",
    )  # fmt: skip
    test, writer = training_set.split.test, ReasonWriter(artifact)
    scores = Scorer(artifact).score(training_set.matrix(test))
    riskiest = int(np.argmax(scores.margin))
    row = RowContext("tableware", float(scores.margin[riskiest]), training_set.matrix(test)[riskiest])
    said = " ".join(writer.sentences(writer.reasons_to_tell(row, scores.contributions[riskiest])))
    assert "Glaze: we estimate that" in said
    assert "Firing temperature of the supplier's kiln, mean of the last 365 days:" in said


def test_a_rate_never_sees_its_own_row(training_set: TrainingSet) -> None:
    """With its label turned a training row has the same rates as before, and others have different ones."""
    labels = training_set.labels.iloc[training_set.split.train]
    turned = labels.assign(failed=labels["failed"] ^ (labels["group"] == labels["group"].iloc[0]))
    parts = np.unique(labels["group"], return_inverse=True)[1] % 5
    prior = training_set.reference.prior("category_fail")
    before, after = (out_of_fold(each, parts, prior, RECIPE.title)["glaze"] for each in (labels, turned))
    own = parts == parts[0]
    np.testing.assert_allclose(before[own], after[own])
    assert not np.allclose(before[~own], after[~own])


def test_a_later_attribute_changes_no_feature(training_set: TrainingSet, tmp_path: Path) -> None:
    """Numbers that became known on the day of a test or later are not looked at."""
    frames = kilns()
    late = frames["lab_tests"].merge(frames["skus"], on=["sku_id", "market"])
    leak = pd.DataFrame({
        "entity": "supplier", "id": late["supplier_id"], "name": "kiln_temperature",
        "value": np.where(late["result"] == "fail", -9_999, 9_999), "happened_on": late["happened_on"],
        "known_on": late["known_on"] + pd.Timedelta(days=2_000),
    }).drop_duplicates(["id", "happened_on"])  # fmt: skip
    frames["attributes"] = pd.concat([frames["attributes"].assign(known_on=frames["attributes"]["happened_on"]), leak])
    leaky = read_training_tables(workspace_with(frames, tmp_path), date(2036, 1, 1), SilentProgress())
    columns = ["kiln_temperature", "glaze"]
    pd.testing.assert_frame_equal(training_set_of(leaky).features[columns], training_set.features[columns])


def test_a_column_that_is_the_result_is_refused(tmp_path: Path) -> None:
    frames = kilns(600)
    worst = frames["lab_tests"].groupby("sku_id")["result"].min()
    frames["skus"]["verdict"] = frames["skus"]["sku_id"].map(worst)
    declared = (
        f'{DECLARED}\n[feature.verdict]\ntable = "skus"\nkind = "choice"\nmeaning = "verdict of quality control"\n'
    )
    tables = read_training_tables(workspace_with(frames, tmp_path, declared), TODAY, SilentProgress())
    with pytest.raises(LeakageError, match=r"verdict \(column verdict of skus\) alone tells failed from passed"):
        audit_leakage(tables, training_set_of(tables), RECIPE, SilentProgress())


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ('[feature.home]\ntable = "suppliers"\ncolumn = "country"\nkind = "choice"\nmeaning = "home"', "is no feature"),
        ('[feature.x]\ntable = "suppliers"\nkind = "number"\nmeaning = "number of employees"', "size of a supplier"),
        ('[feature.x]\ntable = "suppliers"\nkind = "code"\nmeaning = "code of the nation"', "where a supplier is from"),
        ('[feature.size]\ntable = "suppliers"\nkind = "code"\nmeaning = "class"', "size of a supplier"),
        ('[feature.x]\ntable = "skus"\nkind = "number"\nmeaning = "depth"', "ingested without"),
        ('[feature.x]\ntable = "attributes"\nentity = "sku"\nkind = "number"\nmeaning = "depth"', "has no row"),
        ('[feature.sku_tests]\ntable = "skus"\ncolumn = "brand"\nkind = "code"\nmeaning = "firm"', "there is a"),
        ('[feature.x]\ntable = "attributes"\nkind = "number"\nmeaning = "depth"', "entity says what"),
        ('[feature.x]\ntable = "skus"\nkind = "colour"\nmeaning = "hue"', "kind is 'colour'; it must be"),
        ('[feature.X-1]\ntable = "skus"\ncolumn = "brand"\nkind = "code"\nmeaning = "brand"', "no feature's name"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_refused_with_the_reason(small: Workspace, entry: str, says: str) -> None:
    features_path(small).write_text(entry, encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(says)):
        read_training_tables(small, TODAY, SilentProgress())


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace in which declarations are tried."""
    return workspace_with(kilns(50), tmp_path_factory.mktemp("small"))
