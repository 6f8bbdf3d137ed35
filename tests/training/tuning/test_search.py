"""The search: never worse than where it began, resumable, blind to the test period."""

from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from data.errors import UserError
from data.progress import SilentProgress
from data.settings import Settings
from data.workspace import Workspace
from tests.training.worlds import market_frames, small_recipe, tables_of
from training.dataset.labels import build_labels
from training.dataset.splits import default_test_from
from training.evaluation.backtest import Backtest, build_backtest
from training.fitting import booster
from training.recipe import read_recipe
from training.tuning import search
from training.tuning.run import TuningRequest, tune_recipe
from training.tuning.search import (
    HyperparameterSearch,
    Range,
    SearchSpace,
    Trial,
    TuningLimits,
    TuningResult,
    read_search_space,
    tune,
)


def test_the_default_recipe_lies_inside_the_space_and_both_ends_are_recipes() -> None:
    flat = read_recipe().flatten()
    for path, each in read_search_space().ranges.items():
        assert each.holds(float(flat[path]))
        assert {"True", "False"} >= {str(each.log)}
        read_recipe().with_values({path: each.low})
        read_recipe().with_values({path: each.high})


def test_no_choice_of_the_space_makes_scores_slow_to_explain() -> None:
    assert read_recipe().trees.most * read_search_space().ranges["trees.leaves"].high <= 15_000


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('["trees.leaves"]\nfrom = 4\nto = 4\nlog = true\n', r"trees.leaves: `from` must be below `to`.* got 4, 4"),
        ('["trees.leaves"]\nfrom = 0\nto = 4\nlog = true\n', r"above 0 where `log` is true, got 0, 4"),
        ('["trees.leaves"]\nfrom = 1\nto = 4\n', r"trees.leaves.log is missing; it must be true or false"),
        ("trees = 4\n", "trees is 4; it must be a table with from, to, log"),
        ("", r"space\.toml: the file is {}; it must be a table, each value a table with from, to, log"),
        ("[", "is not valid TOML"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "space.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        read_search_space(tmp_path / "space.toml")


# MLflow 3 still asks SQLAlchemy 2.1 for a loader that it deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
RECIPE = small_recipe(periods="2", parts="2", most="10", folds="2", minimum_labels="100")


@pytest.fixture(scope="module")
def backtest() -> Backtest:
    """The periods of a small marketplace."""
    tables = tables_of(market_frames(700))
    labels = build_labels(tables)
    return build_backtest(tables, labels, default_test_from(labels, RECIPE.split), RECIPE, SilentProgress())


def searched(backtest: Backtest, storage: Path, trials: int) -> tuple[TuningResult, list[Trial]]:
    """A search of so many trials in all, and the attempts it logged."""
    attempts: list[Trial] = []
    search = HyperparameterSearch(RECIPE, read_search_space(), storage)
    limits = TuningLimits(trials, lambda: False)
    return tune(backtest, search, "search", limits, attempts.append, SilentProgress()), attempts


def test_a_search_begins_with_the_recipe_and_never_ends_worse(backtest: Backtest, tmp_path: Path) -> None:
    result, attempts = searched(backtest, tmp_path / "tuning.db", 4)
    assert result.value_at_first == attempts[0].value
    values = [attempt.value for attempt in attempts if attempt.value is not None]
    assert result.value == min(values) <= values[0]
    assert result.trials == len(attempts) == 4
    assert result.pruned == sum(attempt.value is None for attempt in attempts)
    best = next(attempt for attempt in attempts if attempt.value == result.value)
    flat = result.recipe.flatten()
    assert {path: float(flat[path]) for path in best.choices} == pytest.approx(dict(best.choices))
    changed = {path for path, value in RECIPE.flatten().items() if flat[path] != value}
    assert changed <= {*best.choices, "name"}


def test_a_search_that_was_broken_off_goes_on_where_it_stopped(
    backtest: Backtest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched(backtest, tmp_path / "tuning.db", 2)
    honest = booster.loss_curves

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(search, "loss_curves", broken)
    with pytest.raises(KeyboardInterrupt):
        searched(backtest, tmp_path / "tuning.db", 5)
    monkeypatch.setattr(search, "loss_curves", honest)
    result, attempts = searched(backtest, tmp_path / "tuning.db", 5)
    assert len(attempts) == 3
    assert result.trials == 5
    assert result.value_at_first is not None
    assert searched(backtest, tmp_path / "tuning.db", 5)[1] == []


def test_a_hopeless_trial_is_broken_off_after_a_period(backtest: Backtest, tmp_path: Path) -> None:
    """With a space that holds one good place and one bad one, later bad trials are pruned."""
    space = SearchSpace(
        {"trees.learning_rate": Range.model_validate({"from": 0.05, "to": 5000.0, "log": True})}, "digest"
    )
    attempts: list[Trial] = []
    limits = TuningLimits(14, lambda: False)
    tune(
        backtest, HyperparameterSearch(RECIPE, space, tmp_path / "t.db"), "s", limits, attempts.append, SilentProgress()
    )
    pruned = [attempt for attempt in attempts if attempt.value is None]
    assert pruned
    assert all(len(attempt.steps) < len(backtest.periods) for attempt in pruned)
    assert all(len(attempt.steps) == len(backtest.periods) for attempt in attempts if attempt.value is not None)


def test_without_time_or_periods_the_search_is_refused(backtest: Backtest, tmp_path: Path) -> None:
    search = HyperparameterSearch(RECIPE, read_search_space(), tmp_path / "tuning.db")
    with pytest.raises(UserError, match="No trial was completed in that time"):
        tune(backtest, search, "s", TuningLimits(5, lambda: True), lambda _: None, SilentProgress())
    with pytest.raises(UserError, match="There is no period to tune on"):
        tune(
            replace(backtest, periods=()), search, "s", TuningLimits(5, lambda: False), lambda _: None, SilentProgress()
        )


def test_a_search_leaves_a_recipe_that_training_reads_and_a_run_for_every_trial(tmp_path: Path) -> None:
    settings = Settings(Workspace(tmp_path), None)
    ask = TuningRequest(RECIPE, None, TuningLimits(2, lambda: False), tmp_path / "mine.toml")
    result = tune_recipe(tables_of(market_frames(700)), settings, ask, SilentProgress())
    assert f"touchstone train --recipe {tmp_path / 'mine.toml'}" in result
    assert read_recipe(str(tmp_path / "mine.toml")).name == f"{RECIPE.name}-tuned"
    client = MlflowClient(settings.tracking_address)
    runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
    parents = [run.data.tags.get("mlflow.parentRunId") for run in runs]
    assert parents.count(None) == 1
    assert len(parents) == 3
