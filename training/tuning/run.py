"""One search for a recipe, from tables to a file that training takes."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

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
    """What is searched for: the recipe to start from, the first day that is not looked at, limits, and the file."""

    recipe: Recipe
    test_from: date | None
    limits: TuningLimits
    out: Path | None


def tune_recipe(tables: Tables, settings: Settings, ask: TuningRequest, progress: Progress) -> str:
    """Search, log every trial as a run below the search's own, write the recipe, and say what was found.

    Raises UserError as `tune` does; the file is written whole or not at all.
    """
    from training.lifecycle.mlflow_tracking import log_tuning

    recipe = ask.recipe
    labels = build_labels(tables, rule=recipe.labels)
    test_from = ask.test_from or default_test_from(labels, recipe.split)
    study = build_backtest(tables, labels, test_from, recipe, progress)
    search = HyperparameterSearch(recipe, read_search_space(), settings.workspace.tuning_database)
    name = search.name(tables.fingerprint, test_from)
    with log_tuning(settings, recipe, name) as run:

        def log(attempt: Trial) -> None:
            run.log_trial(attempt.number, attempt.choices, attempt.value, attempt.steps)

        found = tune(study, search, name, ask.limits, log, progress)
        run.log_best({path: found.recipe.flat()[path] for path in search.space.ranges}, found.value)
    out = ask.out or settings.workspace.recipes / f"{found.recipe.name}.toml"
    with replace_atomically(out) as attempt_at:
        attempt_at.write_text(f"# {_sentence(found, test_from)}\n{found.recipe.text}", encoding="utf-8")
    return f"{_sentence(found, test_from)}\nFile: {out}\nNext: touchstone train --recipe {out}"


def _sentence(found: TuningResult, test_from: date) -> str:
    first = "" if found.value_at_first is None else f" ({found.value_at_first:.5f} for the recipe it began with)"
    return (
        f"Log loss {found.value:.5f}{first} on the periods before {test_from}: the best of {found.trials} trials, "
        f"{found.pruned} of them broken off early."
    )
