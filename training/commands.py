"""The commands that earn a model, and decide which one is in force."""

from datetime import datetime

import click

from data.command_line import DAY, Call
from data.progress import TerminalProgress


@click.command()
@click.option("--recipe", default="default", show_default=True, help="Name in training/recipes, or a TOML file.")
@click.option("--test-from", type=DAY, help="Learn from labels known before, evaluate on tests drawn from then on.")
@click.pass_obj
def train(call: Call, recipe: str, test_from: datetime | None) -> None:
    """Train and calibrate a model, compare it with its baselines, register it in MLflow."""
    from data.lake import open_lake
    from training.recipe import read_recipe
    from training.train import train as train_model

    settings, day = call.settings, test_from.date() if test_from else None
    report = train_model(open_lake(settings.workspace), settings, read_recipe(recipe), day, TerminalProgress())
    click.echo(report.text())


@click.group()
def models() -> None:
    """List, show and promote registered models."""


@models.command("list")
@click.pass_obj
def list_models(call: Call) -> None:
    """List the registered models, newest first."""
    from training.tracking import list_models as registered

    for line in registered(call.settings):
        click.echo(line)


@models.command("show")
@click.argument("version")
@click.pass_obj
def show_model(call: Call, version: str) -> None:
    """Print the card of model VERSION."""
    from models.champion import model

    click.echo(model(call.settings.workspace, version).card)


@models.command("promote")
@click.argument("version")
@click.pass_obj
def promote_model(call: Call, version: str) -> None:
    """Make model VERSION the champion that scores."""
    from training.tracking import promote

    promote(call.settings, version)
    click.echo(f"Champion is now {version}. Next: touchstone score")
