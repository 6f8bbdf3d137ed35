"""One hyperparameter search, from tables to a recipe file."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from data.errors import UnavailableError
from data.lake.tables import Tables
from data.progress import Progress
from data.settings import Settings
from data.workspace import replace_atomically
from training.dataset.labels import build_labels
from training.dataset.splits import default_test_from
from training.evaluation.backtest import build_backtest
from training.recipe import Recipe
from training.tuning.search import HyperparameterSearch, Trial, TuningLimits, TuningResult, read_search_space, tune


@dataclass(frozen=True)
class TuningRequest:
    """Arguments of a search: the recipe to start from, the first day left out, limits, and the file to write."""

    recipe: Recipe
    test_from: date | None
    limits: TuningLimits
    out: Path | None


def tune_recipe(tables: Tables, settings: Settings, request: TuningRequest, progress: Progress) -> str:
    """Search, log every trial as a child run, write the recipe file; return a summary.

    Raises UserError as `tune` does; the file is written whole or not at all.
    """
    from training.lifecycle.mlflow_tracking import log_tuning

    recipe = request.recipe
    labels = build_labels(tables, rule=recipe.labels)
    test_from = request.test_from or default_test_from(labels, recipe.split)
    backtest = build_backtest(tables, labels, test_from, recipe, progress)
    search = HyperparameterSearch(recipe, read_search_space(), settings.workspace.tuning_database)
    name = search.name(tables.fingerprint, test_from)
    with log_tuning(settings, recipe, name) as run:

        def log(attempt: Trial) -> None:
            run.log_trial(attempt.number, attempt.choices, attempt.value, attempt.steps)

        result = _tune_or_keep(lambda: tune(backtest, search, name, request.limits, log, progress))
        run.log_best({path: result.recipe.flatten()[path] for path in search.space.ranges}, result.value)
    out = request.out or settings.workspace.recipes / f"{result.recipe.name}.toml"
    with replace_atomically(out) as attempt_at:
        attempt_at.write_text(f"# {_summarize(result, test_from)}\n{result.recipe.text}", encoding="utf-8")
    return f"{_summarize(result, test_from)}\nFile: {out}\nNext: touchstone train --recipe {out}"


def _tune_or_keep(search: Callable[[], TuningResult]) -> TuningResult:
    """The result; where MLflow goes away meanwhile, UnavailableError says that the trials are kept."""
    try:
        return search()
    except UnavailableError as error:
        raise UnavailableError(f"{error} The trials are kept; the same command goes on from them.") from error


def _summarize(result: TuningResult, test_from: date) -> str:
    first = "" if result.value_at_first is None else f" ({result.value_at_first:.5f} for the recipe it began with)"
    return (
        f"Log loss {result.value:.5f}{first} on the periods before {test_from}: the best of {result.trials} trials, "
        f"{result.pruned} of them broken off early."
    )
