"""Hyperparameter search with Optuna over backtest periods; the test period is not used."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import optuna
from pydantic import Field, RootModel, model_validator

from data.errors import UserError
from data.policy import TomlTable, parse_toml, validate
from data.progress import Advance, Progress
from training.evaluation.backtest import Backtest, build_fold_features, fold_training_rows, fold_validation_rows
from training.fitting.booster import TrainingRows, best_iteration, loss_curves
from training.metrics import Floats
from training.recipe import Recipe

SEARCH = Path(__file__).resolve().parent / "search.toml"
Choices = Mapping[str, float | int]


class Range(TomlTable):
    """Range of a hyperparameter, both ends included; integers where both ends are; log-uniform with `log`."""

    low: Annotated[float | int, Field(alias="from")]
    high: Annotated[float | int, Field(alias="to")]
    log: bool

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError(f"`from` must be below `to`, and above 0 where `log` is true, got {self.low}, {self.high}")
        return self

    @property
    def whole(self) -> bool:
        """Whether the choice is a whole number."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holds(self, value: float) -> bool:
        """Whether a search could choose this value."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class SearchSpace:
    """Range of each hyperparameter by its path in a recipe, such as `trees.leaves`; `digest` identifies the space."""

    ranges: Mapping[str, Range]
    digest: str


class _Ranges(RootModel[Annotated[dict[str, Range], Field(min_length=1)]]):
    """The range of each choice by its path."""


def read_search_space(path: Path = SEARCH) -> SearchSpace:
    """The space that a TOML file states: a table per choice with `from`, `to` and `log`.

    Raises UserError where it states something else.
    """
    text = path.read_bytes()
    ranges = validate(_Ranges, parse_toml(text, path.name), path.name).root
    return SearchSpace(ranges, hashlib.sha256(text).hexdigest()[:12])


FEWEST_TO_PRUNE = 5
Log = Callable[["Trial"], None]


@dataclass(frozen=True)
class Trial:
    """One trial: its choices, the log loss after each period so far, and its value, None where it was pruned."""

    number: int
    choices: Choices
    steps: tuple[float, ...]
    value: float | None


@dataclass(frozen=True)
class TuningLimits:
    """When a search ends: after this many trials, those of earlier calls included, or when there is no time left."""

    trials: int
    out_of_time: Callable[[], bool]


@dataclass(frozen=True)
class TuningResult:
    """Result of a search: the recipe with the lowest log loss, that loss, and the number of trials.

    `value_at_first` is the loss of the recipe that the search began with, None where the space does not hold it.
    """

    recipe: Recipe
    value: float
    value_at_first: float | None
    trials: int
    pruned: int


@dataclass(frozen=True)
class HyperparameterSearch:
    """Definition of a search: the recipe it starts from, the space, and the SQLite file of its trials."""

    recipe: Recipe
    space: SearchSpace
    storage: Path

    def name(self, fingerprint: str, test_from: date) -> str:
        """Name under which this search, on this data, is resumed."""
        return f"{self.recipe.name}-{self.recipe.digest[:12]}-{self.space.digest}-{fingerprint[:12]}-{test_from}"


def tune(
    backtest: Backtest, search: HyperparameterSearch, name: str, limits: TuningLimits, log: Log, progress: Progress
) -> TuningResult:
    """Search the space for the recipe with the lowest log loss over the periods of the backtest.

    A trial fits every fold, a period at a time, and is pruned where its loss so far is worse than that of the median
    trial. Trials of the search `name` in the storage count, so an interrupted search is resumed. Each new one is
    passed to `log`. Raises UserError where the backtest has no periods or no trial was completed.
    """
    if not backtest.periods:
        raise UserError(
            "There is no period to tune on: too few labels were known before the test. Bring more lab_tests, choose a "
            "later --test-from, or fewer and shorter periods in [rolling] of the recipe."
        )
    folds = _build_folds(backtest, search.recipe, progress)
    trials = _open_study(search, name)
    while len(_ended_trials(trials)) < limits.trials and not limits.out_of_time():
        count, best = len(_ended_trials(trials)) + 1, _best(trials)
        title = f"Trial {count} of {limits.trials}" + ("" if best is None else f", best log loss {best.value:.5f}")
        with progress.step(title, sum(map(len, folds)), "fits") as advance:
            log(_run_trial(trials, search, folds, backtest.feature_set.directions, advance))
    best = _best(trials)
    if best is None:
        raise UserError("No trial was completed in that time. Give the search more --minutes.")
    return _summarize(trials, search, best)


def _build_folds(
    backtest: Backtest, recipe: Recipe, progress: Progress
) -> list[list[tuple[TrainingRows, TrainingRows]]]:
    """Training and validation rows of each fold of each period."""
    folds = []
    with progress.step("Learning rates and title words of each fold", len(backtest.periods), "periods") as advance:
        for period in backtest.periods:
            features = [(fold, build_fold_features(backtest, fold, recipe)) for fold in period.folds]
            folds.append([
                (fold_training_rows(backtest, fold, each, recipe), fold_validation_rows(backtest, fold, each))
                for fold, each in features
            ])  # fmt: skip
            advance(1)
    return folds


def _open_study(search: HyperparameterSearch, name: str) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search.storage.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{search.storage}")
    pruner = optuna.pruners.MedianPruner(n_startup_trials=FEWEST_TO_PRUNE)
    trials = optuna.create_study(
        storage=storage, study_name=name, direction="minimize", load_if_exists=True, pruner=pruner
    )
    # A resumed search must not sample its first trials twice.
    trials.sampler = optuna.samplers.TPESampler(seed=(search.recipe.seed + len(trials.trials)) % 2**32)
    start = _start(search)
    if not _ended_trials(trials) and start is not None:
        trials.enqueue_trial(dict(start))
    return trials


def _start(search: HyperparameterSearch) -> Choices | None:
    """The choices of the recipe itself, None where the space does not hold them all."""
    values = {path: _value_in(search.recipe, path) for path in search.space.ranges}
    return values if all(search.space.ranges[path].holds(value) for path, value in values.items()) else None


def _value_in(recipe: Recipe, path: str) -> Any:
    section, _, key = path.rpartition(".")
    try:
        return getattr(getattr(recipe, section), key)
    except AttributeError as error:
        raise UserError(
            f"The search space names {path}, which no recipe has. Mend training/tuning/search.toml."
        ) from error


def _run_trial(
    trials: optuna.Study,
    search: HyperparameterSearch,
    folds: Sequence[Sequence[tuple[TrainingRows, TrainingRows]]],
    directions: Sequence[int],
    advance: Advance,
) -> Trial:
    trial = trials.ask()
    choices: Choices = {
        path: trial.suggest_int(path, int(each.low), int(each.high), log=each.log) if each.whole
        else trial.suggest_float(path, each.low, each.high, log=each.log)
        for path, each in search.space.ranges.items()
    }  # fmt: skip
    recipe = search.recipe.with_values(choices)
    recipe = recipe.model_copy(
        update={"trees": recipe.trees.model_copy(update={"patience": 0})}
    )  # curves of one length
    curves: list[Floats] = []
    sizes: list[int] = []
    steps: list[float] = []
    try:
        for number, period in enumerate(folds):
            curves += loss_curves(period, directions, recipe)
            sizes += [len(validation_rows.failed) for _, validation_rows in period]
            advance(len(period))
            steps.append(float(np.min(best_iteration(curves, sizes)[1])))
            trial.report(steps[-1], number)
            if number + 1 < len(folds) and trial.should_prune():
                trials.tell(trial, state=optuna.trial.TrialState.PRUNED)
                return Trial(trial.number, choices, tuple(steps), None)
    except BaseException:
        trials.tell(trial, state=optuna.trial.TrialState.FAIL)
        raise
    trials.tell(trial, steps[-1])
    return Trial(trial.number, choices, tuple(steps), steps[-1])


def _ended_trials(trials: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return trials.get_trials(deepcopy=False, states=states)


def _best(trials: optuna.Study) -> optuna.trial.FrozenTrial | None:
    complete = [trial for trial in _ended_trials(trials) if trial.value is not None and trial.state.name == "COMPLETE"]
    return min(complete, key=lambda trial: (trial.value, trial.number), default=None)


def _summarize(trials: optuna.Study, search: HyperparameterSearch, best: optuna.trial.FrozenTrial) -> TuningResult:
    done, start = _ended_trials(trials), _start(search)
    first = next((trial.value for trial in done if trial.params == start), None)
    assert best.value is not None
    recipe = search.recipe.with_values({**best.params, "name": f"{search.recipe.name}-tuned"})
    pruned = sum(trial.state.name == "PRUNED" for trial in done)
    return TuningResult(recipe, best.value, first, len(done), pruned)
