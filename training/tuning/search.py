"""The search for a better recipe, judged on periods before the test, which it never sees."""

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
from training.evaluation.backtest import Backtest, fit_rows, fold_training_rows, validation_rows
from training.fitting.booster import TrainingRows, fewest_losses, loss_curve
from training.fitting.model import DIRECTIONS
from training.metrics import Floats
from training.recipe import Recipe

SEARCH = Path(__file__).resolve().parent / "search.toml"
Choices = Mapping[str, float | int]


class Range(TomlTable):
    """A choice from `low` to `high`, both included; whole numbers where both are; evenly over its logarithm or not."""

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
    """The range of each choice by its path in a recipe, such as `trees.leaves`; `digest` names this space."""

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
    """What a search found: the recipe with the lowest log loss, that loss, and how many trials there were.

    `value_at_first` is the loss of the recipe that the search began with, None where the space does not hold it.
    """

    recipe: Recipe
    value: float
    value_at_first: float | None
    trials: int
    pruned: int


@dataclass(frozen=True)
class HyperparameterSearch:
    """What a search needs: the recipe it starts from, the space, and the SQLite file that remembers its trials."""

    recipe: Recipe
    space: SearchSpace
    storage: Path

    def name(self, fingerprint: str, test_from: date) -> str:
        """The name under which this search, on this data, is taken up again."""
        return f"{self.recipe.name}-{self.recipe.digest[:12]}-{self.space.digest}-{fingerprint[:12]}-{test_from}"


def tune(
    study: Backtest, search: HyperparameterSearch, name: str, limits: TuningLimits, log: Log, progress: Progress
) -> TuningResult:
    """Search the space for the recipe with the lowest log loss over the periods of the study.

    A trial fits every fold, a period at a time, and is pruned where its loss so far is worse than that of the median
    trial. Trials of the search `name` in the storage count, so a search that was broken off goes on. Each new one is
    handed to `log`. Raises UserError where the study has no periods or no trial was completed.
    """
    if not study.periods:
        raise UserError(
            "There is no period to tune on: too few labels were known before the test. Bring more lab_tests, choose a "
            "later --test-from, or fewer and shorter periods in [rolling] of the recipe."
        )
    lessons = _lessons(study, search.recipe, progress)
    trials = _opened(search, name)
    while len(_done(trials)) < limits.trials and not limits.out_of_time():
        count, best = len(_done(trials)) + 1, _best(trials)
        title = f"Trial {count} of {limits.trials}" + ("" if best is None else f", best log loss {best.value:.5f}")
        with progress.step(title, sum(map(len, lessons)), "fits") as advance:
            log(_attempted(trials, search, lessons, advance))
    best = _best(trials)
    if best is None:
        raise UserError("No trial was completed in that time. Give the search more --minutes.")
    return _tuned(trials, search, best)


def _lessons(study: Backtest, recipe: Recipe, progress: Progress) -> list[list[tuple[TrainingRows, TrainingRows]]]:
    """For each period, the rows that teach and the rows that judge of each fold."""
    lessons = []
    with progress.step("Learning rates and title words of each fold", len(study.periods), "periods") as advance:
        for period in study.periods:
            features = [(fold, fit_rows(study, fold, recipe)) for fold in period.folds]
            lessons.append([
                (fold_training_rows(study, fold, each, recipe), validation_rows(study, fold, each))
                for fold, each in features
            ])  # fmt: skip
            advance(1)
    return lessons


def _opened(search: HyperparameterSearch, name: str) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search.storage.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{search.storage}")
    pruner = optuna.pruners.MedianPruner(n_startup_trials=FEWEST_TO_PRUNE)
    trials = optuna.create_study(
        storage=storage, study_name=name, direction="minimize", load_if_exists=True, pruner=pruner
    )
    # A search taken up again must not draw the trials it began with once more.
    trials.sampler = optuna.samplers.TPESampler(seed=(search.recipe.seed + len(trials.trials)) % 2**32)
    start = _start(search)
    if not _done(trials) and start is not None:
        trials.enqueue_trial(dict(start))
    return trials


def _start(search: HyperparameterSearch) -> Choices | None:
    """The choices of the recipe itself, None where the space does not hold them all."""
    values = {path: _stated(search.recipe, path) for path in search.space.ranges}
    return values if all(search.space.ranges[path].holds(value) for path, value in values.items()) else None


def _stated(recipe: Recipe, path: str) -> Any:
    section, _, key = path.rpartition(".")
    try:
        return getattr(getattr(recipe, section), key)
    except AttributeError as error:
        raise UserError(
            f"The search space names {path}, which no recipe has. Mend training/tuning/search.toml."
        ) from error


def _attempted(
    trials: optuna.Study,
    search: HyperparameterSearch,
    lessons: Sequence[Sequence[tuple[TrainingRows, TrainingRows]]],
    advance: Advance,
) -> Trial:
    trial = trials.ask()
    choices: Choices = {
        path: trial.suggest_int(path, int(each.low), int(each.high), log=each.log) if each.whole
        else trial.suggest_float(path, each.low, each.high, log=each.log)
        for path, each in search.space.ranges.items()
    }  # fmt: skip
    recipe = search.recipe.replaced(choices)
    curves: list[Floats] = []
    sizes: list[int] = []
    steps: list[float] = []
    try:
        for number, period in enumerate(lessons):
            for fitted, judged in period:
                curves.append(loss_curve(fitted, judged, DIRECTIONS, recipe))
                sizes.append(len(judged.failed))
                advance(1)
            steps.append(float(np.min(fewest_losses(curves, sizes)[1])))
            trial.report(steps[-1], number)
            if number + 1 < len(lessons) and trial.should_prune():
                trials.tell(trial, state=optuna.trial.TrialState.PRUNED)
                return Trial(trial.number, choices, tuple(steps), None)
    except BaseException:
        trials.tell(trial, state=optuna.trial.TrialState.FAIL)
        raise
    trials.tell(trial, steps[-1])
    return Trial(trial.number, choices, tuple(steps), steps[-1])


def _done(trials: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return trials.get_trials(deepcopy=False, states=states)


def _best(trials: optuna.Study) -> optuna.trial.FrozenTrial | None:
    complete = [trial for trial in _done(trials) if trial.value is not None and trial.state.name == "COMPLETE"]
    return min(complete, key=lambda trial: (trial.value, trial.number), default=None)


def _tuned(trials: optuna.Study, search: HyperparameterSearch, best: optuna.trial.FrozenTrial) -> TuningResult:
    done, start = _done(trials), _start(search)
    first = next((trial.value for trial in done if trial.params == start), None)
    assert best.value is not None
    recipe = search.recipe.replaced({**best.params, "name": f"{search.recipe.name}-tuned"})
    pruned = sum(trial.state.name == "PRUNED" for trial in done)
    return TuningResult(recipe, best.value, first, len(done), pruned)
