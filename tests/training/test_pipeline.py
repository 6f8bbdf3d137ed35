"""One training from tables to a registered model, on a small marketplace and a real MLflow store."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from mlflow.tracking import MlflowClient

from data.errors import ExitCode, UserError
from data.progress import SilentProgress
from data.settings import Settings
from data.workspace import Workspace
from features.point_in_time import feature_frame
from features.registry import FEATURE_NAMES
from models.artifact import read_artifact
from models.registry import champion_version, load_champion
from models.scorer import Scorer
from tests.data.small_marketplace import write_parquet
from tests.training.worlds import market_frames, small_recipe, tables_of
from touchstone import main
from training.card.model_card import card_of
from training.dataset.labels import build_labels
from training.dataset.splits import split_by_time
from training.evaluation.baselines import BASELINES
from training.fitting import model as model_module
from training.lifecycle.champion_history import ChampionDecision
from training.lifecycle.mlflow_tracking import registered_models
from training.lifecycle.monitoring import monitor
from training.lifecycle.promotion import promote, rollback
from training.pipeline import TrainingReport, TrainingRequest, train

NOW = datetime(2026, 7, 1, tzinfo=UTC)

# MLflow 3 still asks SQLAlchemy 2.1 for a loader that it deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


def settings_of(home: Path) -> Settings:
    """A workspace with the embedded MLflow store."""
    return Settings(Workspace(home), None)


def trained(home: Path, frames: Mapping[str, pd.DataFrame], **changes: str) -> TrainingReport:
    """A training of the small recipe in `home`, validated on one earlier period."""
    recipe = small_recipe(periods="1", **changes)
    request = TrainingRequest(recipe, first=True)
    return train(tables_of(frames), settings_of(home), request, SilentProgress(), NOW)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which one model was trained."""
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def report(home: Path) -> TrainingReport:
    """The first training in the workspace."""
    return trained(home, market_frames())


def test_the_first_model_is_champion_and_challenger(home: Path, report: TrainingReport) -> None:
    assert report.promoted
    assert load_champion(Workspace(home)).version == report.version
    client = MlflowClient(settings_of(home).tracking_address)
    for alias in ("champion", "challenger"):
        assert client.get_model_version_by_alias("touchstone", alias).tags["version"] == report.version


def test_the_registered_artifact_is_the_verified_folder(home: Path, report: TrainingReport) -> None:
    client = MlflowClient(settings_of(home).tracking_address)
    source = str(client.get_model_version_by_alias("touchstone", "champion").source)
    folder = Path(source.removeprefix("file://")) / "artifacts" / report.version
    assert read_artifact(folder) == read_artifact(report.folder)


def test_the_run_holds_params_metrics_plots_and_the_fingerprint(home: Path, report: TrainingReport) -> None:
    client = MlflowClient(settings_of(home).tracking_address)
    run = client.get_run(str(client.get_model_version_by_alias("touchstone", "champion").run_id))
    assert run.info.status == "FINISHED"
    assert run.data.metrics["auc"] == pytest.approx(report.metrics["auc"])
    assert run.data.metrics["baselines/supplier_rate/auc_low"] <= run.data.metrics["baselines/supplier_rate/auc"]
    assert run.data.params["trees.leaves"] == str(small_recipe().trees.leaves)
    assert run.data.tags["data_fingerprint"] == "in-memory"
    assert len(run.data.tags["code"]) >= 5
    assert run.inputs is not None
    assert {each.dataset.digest for each in run.inputs.dataset_inputs} == {"in-memory"}
    assert len(run.inputs.dataset_inputs) == 3
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files == {"model", "plots", "card.html"}
    assert str(run.info.run_name).split(" ")[::3] == [small_recipe().name, report.version]
    plots = {Path(file.path).stem for file in client.list_artifacts(run.info.run_id, "plots")}
    assert plots >= {"reliability", "gain", "lift", "beeswarm", "dependence", "drift", "periods"}


def test_metrics_hold_every_skill_with_interval_for_the_model_and_each_baseline(report: TrainingReport) -> None:
    metrics = json.loads((report.folder / "metrics.json").read_text(encoding="utf-8"))
    predictions = {"model": metrics, **metrics["baselines"]}
    assert set(predictions) == {"model", *BASELINES}
    for skills in predictions.values():
        for name in ("auc", "average_precision", "brier", "base_rate"):
            low, high = skills[f"{name}_interval"]
            assert low <= skills[name] <= high
        assert skills["n"] == metrics["data"]["test"]["n"]


def test_the_model_learned_what_decides(report: TrainingReport) -> None:
    assert report.metrics["auc"] > 0.65
    assert report.metrics["auc"] > report.metrics["baselines"]["random"]["auc"]


def test_contributions_of_the_artifact_sum_to_its_margin(report: TrainingReport) -> None:
    matrix = np.random.default_rng(1).normal(size=(50, len(FEATURE_NAMES)))
    scores = Scorer(read_artifact(report.folder)).score(matrix)
    assert np.abs(scores.contributions.sum(axis=1) + scores.base_value - scores.margin).max() < 1e-9


def test_the_same_training_gives_the_same_model_whatever_the_order_of_rows(home: Path, report: TrainingReport) -> None:
    """Down to the checksums, so it is registered once."""
    shuffled = {name: frame.sample(frac=1, random_state=5) for name, frame in market_frames().items()}
    repeated = trained(home, shuffled)
    booster = [(each.folder / "booster.txt").read_bytes() for each in (report, repeated)]
    assert booster[0] == booster[1]
    assert repeated.version == report.version
    assert repeated.promoted, "it is the champion still"
    assert [each.version for each in registered_models(settings_of(home))].count(report.version) == 1


@pytest.fixture(scope="module")
def challenger(home: Path, report: TrainingReport) -> TrainingReport:
    """A second training, with another seed."""
    assert report.promoted
    return trained(home, market_frames(), seed="77")


def test_a_second_model_waits_as_challenger_compared_with_the_champion(
    home: Path, report: TrainingReport, challenger: TrainingReport
) -> None:
    assert not challenger.promoted
    assert champion_version(Workspace(home)) == report.version
    roles = [(each.version, each.aliases) for each in registered_models(settings_of(home))]
    assert roles == [(challenger.version, ("challenger",)), (report.version, ("champion",))]
    comparison = challenger.metrics["champion"]
    assert (comparison["version"], comparison["n"]) == (report.version, challenger.metrics["data"]["test"]["n"])
    assert comparison["found"] == challenger.metrics["budget"]["failed"], "the same rows, features and ranking"
    assert comparison["found_by_champion"] == report.metrics["budget"]["failed"]
    assert {each.rule for each in challenger.rules} >= {"findings", "groups"}


def test_a_promotion_and_its_rollback_move_the_alias_and_renew_the_card(
    home: Path, report: TrainingReport, challenger: TrainingReport
) -> None:
    settings, client = settings_of(home), MlflowClient(settings_of(home).tracking_address)
    promote(settings, challenger.version, ChampionDecision("ann", NOW, "to see it work", force=True))
    named = client.get_model_version_by_alias("touchstone", "champion")
    assert named.tags["version"] == champion_version(settings.workspace) == challenger.version
    assert (named.tags["promotion.approver"], named.tags["promotion.why"]) == ("ann", "to see it work")
    assert "Promoted on 2026-07-01 by ann" in challenger.page.read_text(encoding="utf-8")
    assert rollback(settings, ChampionDecision("bob", NOW)) == report.version
    assert client.get_model_version_by_alias("touchstone", "champion").tags["version"] == report.version
    assert {each.version for each in registered_models(settings)} == {report.version, challenger.version}, "both stay"


def test_the_watch_finds_no_fault_on_the_day_of_training_and_logs_what_it_saw(
    home: Path, report: TrainingReport
) -> None:
    seen = monitor(tables_of(market_frames()), settings_of(home), None, SilentProgress())
    assert seen.champion.version == report.version
    assert max(each.psi for each in seen.champion.drifts) == 0.0
    assert seen.broken == ()
    assert len(seen.champion.tests) == 0
    result = json.loads((seen.page.parent / "monitor.json").read_text(encoding="utf-8"))
    assert [rule["holds"] for rule in result["rules"]] == [True] * len(seen.rules)
    assert "No new model is needed." in seen.page.read_text(encoding="utf-8")
    client = MlflowClient(settings_of(home).tracking_address)
    experiment = client.get_experiment_by_name("touchstone monitoring")
    assert experiment is not None
    assert [run.data.tags["version"] for run in client.search_runs([experiment.experiment_id])] == [report.version]


def test_the_watch_asks_for_a_new_model_when_what_it_knows_is_old_and_labels_have_come(
    home: Path, report: TrainingReport
) -> None:
    frames = market_frames()
    last = date.fromisoformat(report.metrics["data"]["known_until"])
    later = frames["lab_tests"].tail(300).assign(
        test_id=lambda rows: "n" + rows["test_id"], happened_on=last + timedelta(days=200),
        known_on=last + timedelta(days=300), result="pass",
    )  # fmt: skip
    tables = tables_of({**frames, "lab_tests": pd.concat([frames["lab_tests"], later], ignore_index=True)})
    seen = monitor(tables, settings_of(home), None, SilentProgress())
    assert {"age", "new labels", "label delay"} <= {each.rule for each in seen.broken}
    assert len(seen.champion.tests) == 300
    assert seen.champion.report_days == 100
    assert "a new model is needed" in seen.page.read_text(encoding="utf-8")


def test_what_was_never_registered_is_not_promoted(tmp_path: Path, report: TrainingReport) -> None:
    other = settings_of(tmp_path)
    with pytest.raises(UserError, match="There is no model m-000000000000"):
        promote(other, "m-000000000000", ChampionDecision("ann", NOW))
    other.workspace.models.mkdir()
    (other.workspace.models / report.version).symlink_to(report.folder)
    with pytest.raises(UserError, match=f"Model {report.version} is not registered"):
        promote(other, report.version, ChampionDecision("ann", NOW))
    assert champion_version(other.workspace) is None


@pytest.mark.parametrize("tests", [1, 150])
def test_a_refused_training_writes_nothing(tmp_path: Path, tests: int) -> None:
    frames = market_frames()
    frames["lab_tests"] = frames["lab_tests"].iloc[:tests]
    with pytest.raises(UserError, match="at least 200 independent tests"):
        trained(tmp_path, frames)
    assert list(tmp_path.iterdir()) == []


def fit_on(frames: Mapping[str, pd.DataFrame]) -> tuple[model_module.TrainingSet, model_module.FittedModel]:
    """Training set and model of the small recipe."""
    labels, recipe = build_labels(tables_of(frames)), small_recipe()
    split = split_by_time(labels, None, recipe.split)
    training_set = model_module.build_training_set(tables_of(frames), labels, split, recipe, SilentProgress())
    return training_set, model_module.fit_model(training_set, recipe, SilentProgress())


def test_labels_of_the_test_period_teach_nothing() -> None:
    """Flipping them changes neither trees nor calibration nor learned tables."""
    frames = market_frames()
    training_set, model = fit_on(frames)
    tests = frames["lab_tests"]
    late = pd.to_datetime(tests["happened_on"]) >= pd.Timestamp(training_set.split.test_from)
    flipped = tests.assign(result=np.where(late, np.where(tests["result"] == "fail", "pass", "fail"), tests["result"]))
    other, repeated = fit_on({**frames, "lab_tests": flipped})
    assert (training_set.failed(training_set.split.test) != other.failed(other.split.test)).all()
    assert model.booster.model_to_string() == repeated.booster.model_to_string()
    assert model.calibration == repeated.calibration
    assert all(training_set.reference[name].equals(other.reference[name]) for name in training_set.reference.tables)


def test_a_feature_from_the_future_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted into the features, the label itself lifts the AUC above what any honest model reaches here."""
    labels = build_labels(tables_of(market_frames()))
    honest = feature_frame

    def leaking(*arguments: Any) -> pd.DataFrame:
        return honest(*arguments).assign(sku_tests=labels["failed"].to_numpy(float))

    monkeypatch.setattr(model_module, "feature_frame", leaking)
    training_set, model = fit_on(market_frames())
    split = training_set.split
    margin = model.margin(training_set.matrix(split.test))
    assert margin[training_set.failed(split.test)].min() > np.median(margin)


def test_the_card_says_the_numbers_in_words(report: TrainingReport) -> None:
    card = card_of(report.metrics)
    hundred = report.metrics["found"]["riskiest_100"]
    assert f"Of the 100 riskiest of {hundred['of']:,} tests: {hundred['failed']:.0f} failed (" in card
    assert f"Expires on {report.metrics['data']['expires_on']}" in card
    assert f"at random {hundred['at_random']:.0f}." in card
    assert (report.folder / "card.md").read_text(encoding="utf-8") == card
    assert report.version in report.text()


@pytest.mark.usefixtures("report")
def test_a_history_that_was_wiped_is_refused_at_ingest_and_where_that_was_allowed_at_retraining(
    home: Path, tmp_path: Path
) -> None:
    """A file of yesterday's tests that is taken for all of them: exit code 3 at every step, and no other champion."""
    frames = market_frames()
    tests, champion = frames["lab_tests"], champion_version(Workspace(home))
    yesterday = tests[tests["happened_on"] == tests["happened_on"].max()]
    lost = f"lab_tests 900 -> {len(yesterday)} rows from 2025-08-22 to 2025-08-22"
    given, wreck = write_parquet(frames, tmp_path / "given"), tmp_path / "wreck"
    write_parquet({"lab_tests": yesterday}, wreck)

    def touchstone(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--home", str(home), *arguments])

    assert touchstone("ingest", str(given)).exit_code == ExitCode.DONE
    refused = touchstone("ingest", str(wreck))
    assert (refused.exit_code, f"Rows would be lost: {lost}." in refused.output) == (ExitCode.GUARD, True)
    assert "lab_tests/happened_on=2025-08-22/" in refused.output
    assert touchstone("ingest", str(wreck), "--allow-shrink", "lab_tests").exit_code == ExitCode.DONE
    watched = touchstone("monitor")
    assert watched.exit_code == ExitCode.GUARD
    assert f"rows are missing: {lost}, since model {champion} was trained." in watched.output
    retrained = touchstone("retrain")
    assert retrained.exit_code == ExitCode.GUARD
    assert "No model is trained" in retrained.output
    assert champion_version(Workspace(home)) == champion
