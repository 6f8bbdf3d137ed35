"""Commands of training: train, tune, models, monitor, retrain and replay (the simulation)."""

import time
from datetime import datetime
from getpass import getuser
from pathlib import Path
from typing import Any

import click

from data.cli import ALLOW_SHRINK, DAY, FOLDER, TABLE_NAMES, CommandContext
from data.progress import TerminalProgress

FIRST = "Where no model scores yet: let it score although it breaks promotion rules. Ledger and card say so."


@click.command()
@click.option("--rounds", default=20, show_default=True, help="Rounds of testing.")
@click.option("--budget", "budget_eur", default=50_000.0, show_default=True, help="Euros a round; a test costs 250.")
@click.option("--scenario", type=click.Choice(["stationary", "drifting"]), default="stationary", show_default=True)
@click.option("--skus", default=20_000, show_default=True, help="Size of the simulated catalogue.")
@click.option("--worlds", default=1, show_default=True, type=click.IntRange(1), help="How many worlds.")
@click.option("--seed", default=1, show_default=True, help="Of the first world; the next has the next.")
@click.option("--strategy", "strategies", multiple=True, help="Compare this one too (default: all). May be repeated.")
@click.option("--history", is_flag=True, help="On the tests in the lake instead; only --strategy and --seed count.")
@click.pass_obj
def replay(
    call: CommandContext, /, strategies: tuple[str, ...], worlds: int, seed: int, history: bool, **options: Any
) -> None:
    """Compare ways of choosing tests in simulations.

    Each strategy plays the same worlds, in which it is known what would fail.
    """
    from training.simulation.comparison import SimulationComparison, compare, select_strategies
    from training.simulation.report import headline, write_report

    if history:
        from features.review_text.incremental import read_lake
        from training.simulation.historical import evaluate_in_hindsight, hindsight_text, read_past

        past = read_past(read_lake(call.settings.workspace))
        click.echo(hindsight_text(evaluate_in_hindsight(past, select_strategies(strategies), seed)))
        return
    runs = compare(
        SimulationComparison(
            seeds=tuple(range(seed, seed + worlds)), strategies=select_strategies(strategies), **options
        ),
        TerminalProgress(),
    )
    click.echo(headline(runs))
    click.echo(f"The report is {write_report(runs, call.settings.workspace.reports)}.")


@click.command()
@click.option("--recipe", default="default", show_default=True, help="Name in training/recipes, or a TOML file.")
@click.option(
    "--test-from", type=DAY, help="Learn from results known before this day, evaluate on tests drawn from then on."
)
@click.option("--first", is_flag=True, help=FIRST)
@click.pass_obj
def train(call: CommandContext, recipe: str, test_from: datetime | None, first: bool) -> None:
    """Train, calibrate and evaluate a model.

    It is compared with its baselines and registered in MLflow. The first one scores from then on if every promotion
    rule about the model itself holds.
    """
    from training.dataset.own_columns import read_training_tables
    from training.lifecycle.mlflow_client import require_mlflow
    from training.pipeline import TrainingRequest
    from training.pipeline import train as train_model
    from training.recipe import read_recipe

    settings = call.settings
    request = TrainingRequest(read_recipe(recipe), test_from.date() if test_from else None, first)
    require_mlflow(settings)
    progress = TerminalProgress()
    tables = read_training_tables(settings.workspace, call.today, progress)
    report = train_model(tables, settings, request, progress, call.now)
    click.echo(report.text())


@click.command()
@click.option("--recipe", default="default", show_default=True, help="Name in training/recipes, or a TOML file.")
@click.option("--test-from", type=DAY, help="Ignore tests known from this day on (default: as in train).")
@click.option("--trials", type=click.IntRange(1), default=40, show_default=True, help="In all, earlier ones too.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=20.0, show_default=True, help="At most.")
@click.option("--out", type=FOLDER, help="The recipe to write (default: WORKSPACE/recipes/NAME-tuned.toml).")
@click.pass_obj
def tune(
    call: CommandContext, recipe: str, test_from: datetime | None, trials: int, minutes: float, out: Path | None
) -> None:
    """Search for a better training recipe.

    On periods before the test period; the result is a file for `train --recipe`. A search that was interrupted
    continues where it stopped.
    """
    from training.dataset.own_columns import read_training_tables
    from training.lifecycle.mlflow_client import require_mlflow
    from training.recipe import read_recipe
    from training.tuning.run import TuningRequest, tune_recipe
    from training.tuning.search import TuningLimits

    end = time.monotonic() + 60 * minutes
    limits = TuningLimits(trials, lambda: time.monotonic() > end)
    ask = TuningRequest(read_recipe(recipe), test_from.date() if test_from else None, limits, out)
    require_mlflow(call.settings)
    progress = TerminalProgress()
    click.echo(
        tune_recipe(read_training_tables(call.settings.workspace, call.today, progress), call.settings, ask, progress)
    )


@click.command()
@click.option("--tests", is_flag=True, help="The labels with weights, periods and folds, as train sees them.")
@click.option("--as-of", type=DAY, help="The catalogue on this day instead, with the rates of the champion.")
@click.option("--recipe", default="default", show_default=True, help="Of --tests: name in training/recipes, or a file.")
@click.option("--out", type=FOLDER, required=True, help="The Parquet file to write.")
@click.pass_obj
def frame(call: CommandContext, tests: bool, as_of: datetime | None, recipe: str, out: Path) -> None:
    """Write features as a Parquet file for your own analysis.

    The schema of the file holds the meaning of every column.
    """
    import pyarrow.parquet as pq

    from models.registry import load_champion
    from training.dataset.frame import write_catalogue_frame, write_label_frame
    from training.dataset.own_columns import read_training_tables
    from training.recipe import read_recipe

    if tests == (as_of is not None):
        raise click.UsageError("Give either --tests or --as-of DAY.")
    progress, workspace, chosen = TerminalProgress(), call.settings.workspace, read_recipe(recipe)
    tables = read_training_tables(workspace, call.today, progress)
    if as_of is None:
        written = write_label_frame(tables, chosen, None, out, progress)
    else:
        written = write_catalogue_frame(tables, load_champion(workspace), as_of.date(), out, progress)
    rows = pq.read_metadata(out).num_rows
    click.echo(f"Wrote {rows:,} rows of {len(written.names)} columns to {out}.")


@click.group()
def models() -> None:
    """List, show and promote registered models."""


@models.command("list")
@click.pass_obj
def list_models(call: CommandContext) -> None:
    """List the registered models, newest first.

    With what each can and which one scores, and those that are trained and not registered yet.
    """
    from training.lifecycle.registration import list_models as registered

    for line in registered(call.settings):
        click.echo(line)


@models.command("register")
@click.argument("model", metavar="VERSION_OR_FOLDER")
@click.option("--first", is_flag=True, help=FIRST)
@click.pass_obj
def register_kept(call: CommandContext, model: str, first: bool) -> None:
    """Register a model that is not yet.

    One that was kept because MLflow was away, or the folder of one copied from another workspace.
    """
    from training.lifecycle.registration import register_kept_model

    registered = register_kept_model(call.settings, model, call.now, first=first)
    role = "champion" if registered.promoted else "challenger"
    click.echo(f"Model {registered.version} is registered; it is {role}. See touchstone models list")


@models.command("show")
@click.argument("version")
@click.pass_obj
def show_model(call: CommandContext, version: str) -> None:
    """Print the card of model VERSION, and who promoted it."""
    from models.registry import load_model
    from training.lifecycle.promotion import approvals

    click.echo(load_model(call.settings.workspace, version).card)
    for line in approvals(call.settings, version):
        click.echo(line)


@models.command("promote")
@click.argument("version")
@click.option("--force", is_flag=True, help="Promote it although a rule does not hold; needs --why.")
@click.option("--why", default="", help="The reason, for the ledger.")
@click.option(
    "--by", default=getuser, show_default="the system's user", help="Who approves, for the ledger and the card."
)
@click.pass_obj
def promote_model(call: CommandContext, version: str, force: bool, why: str, by: str) -> None:
    """Put model VERSION into service, if every promotion rule holds."""
    from training.lifecycle.champion_history import ChampionDecision
    from training.lifecycle.promotion import promote

    for each in promote(call.settings, version, ChampionDecision(by, call.now, why, force)):
        click.echo(f"  {'ok ' if each.holds else 'NO '}  {each.rule}: {each.explanation}.")
    click.echo(f"Champion is now {version}. Next: touchstone score")


@models.command("rollback")
@click.option("--why", default="", help="The reason, for the ledger.")
@click.option("--by", default=getuser, show_default="the system's user", help="Who decides, for the ledger.")
@click.pass_obj
def rollback_model(call: CommandContext, why: str, by: str) -> None:
    """Put the previous model back into service."""
    from training.lifecycle.champion_history import ChampionDecision
    from training.lifecycle.promotion import rollback

    click.echo(
        f"Champion is again {rollback(call.settings, ChampionDecision(by, call.now, why))}. Next: touchstone score"
    )


@click.command()
@click.option("--as-of", type=DAY, help="Compare on this day (default: the day after the newest row).")
@click.pass_context
def monitor(context: click.Context, as_of: datetime | None) -> None:
    """Check whether the model in service is still good.

    Catalogue and new test results are compared with those of its training. The exit code is 4 where policy asks for a
    new model, 3 where rows are missing that it was trained on.
    """
    from features.review_text.incremental import read_lake
    from training.lifecycle.monitoring import monitor as watch

    settings, progress = context.obj.settings, TerminalProgress()
    report = watch(read_lake(settings.workspace, progress), settings, as_of.date() if as_of else None, progress)
    click.echo(report.text())
    context.exit(report.exit_code)


@click.command()
@click.option("--recipe", help="Name in training/recipes, or a TOML file (default: the champion's own).")
@click.option("--allow-shrink", metavar="TABLE", multiple=True, type=TABLE_NAMES, help=ALLOW_SHRINK)
@click.pass_obj
def retrain(call: CommandContext, recipe: str | None, allow_shrink: tuple[str, ...]) -> None:
    """Monitor, and train a new model where policy asks.

    The new model is promoted where every rule of promotion holds. The exit code is 3 where rows are missing that the
    model in service was trained on.
    """
    from training.dataset.own_columns import read_training_tables
    from training.lifecycle.mlflow_client import require_mlflow
    from training.pipeline import RetrainingOptions
    from training.pipeline import retrain as renewed
    from training.recipe import read_recipe

    progress, chosen = TerminalProgress(), read_recipe(recipe) if recipe else None
    require_mlflow(call.settings)
    tables = read_training_tables(call.settings.workspace, call.today, progress)
    options = RetrainingOptions(chosen, frozenset(allow_shrink))
    click.echo(renewed(tables, call.settings, options, progress, call.now).text())
