"""The front door: the command line. It asks the clock, reads the settings, calls one room, prints; no logic."""

import os
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from data.progress import TerminalProgress
from data.refusal import Refusal
from data.settings import Settings, read_settings

if TYPE_CHECKING:
    from data.tables import Tables

REPOSITORY = Path(__file__).resolve().parent
SAMPLE_UNTIL = datetime(2026, 6, 30, tzinfo=UTC)
DAY = click.DateTime(["%Y-%m-%d"])


class FrontDoor(click.Group):
    """A group of commands that answers a refused input with one sentence and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a Refusal becomes its message."""
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            raise click.ClickException(str(refusal)) from refusal


@click.group(cls=FrontDoor, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--home", type=click.Path(path_type=Path), help="The workspace folder (default: $TOUCHSTONE_HOME, ./workspace)."
)
@click.pass_context
def main(context: click.Context, home: Path | None) -> None:
    """Which SKUs would fail a laboratory test, why, and where the next test money should go."""
    context.obj = read_settings(home)


@main.command("sample-data")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write the tables to.")
@click.option(
    "--skus", default=20_000, show_default=True, type=click.IntRange(100), help="Catalogue rows (SKU and market)."
)
@click.option("--days", default=730, show_default=True, type=click.IntRange(180), help="Days of history.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same marketplace.")
@click.option("--until", type=DAY, default=SAMPLE_UNTIL, show_default="2026-06-30", help="Last day of history.")
def sample_data(out: Path, skus: int, days: int, seed: int, until: datetime) -> None:
    """Write a synthetic marketplace: all contract tables, and the truth beside them."""
    from data.marketplace.sample import write_sample

    write_sample(out, skus=skus, days=days, seed=seed, until=until.date(), progress=TerminalProgress())
    click.echo(f"Wrote a marketplace of {skus:,} SKUs to {out}. Next: touchstone ingest {out}")


@main.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write the contract tables to.")
def import_public(name: str, file: Path, out: Path) -> None:
    """Turn the public data set NAME (such as nyc-metals) in FILE into contract tables."""
    from data.importers import importer

    for line in importer(name)(file, out).lines():
        click.echo(line)
    click.echo(f"Wrote contract tables to {out}. Next: touchstone ingest {out}")


@main.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Refuse the whole folder if any row is bad.")
@click.pass_obj
def ingest(settings: Settings, source: Path, strict: bool) -> None:
    """Validate the tables in SOURCE and make them the lake; bad rows go to quarantine with the rule they broke."""
    from data.ingest import ingest as ingest_folder

    counts = ingest_folder(source, settings.workspace, today=_today(), strict=strict, progress=TerminalProgress())
    for count in counts:
        click.echo(count.line())


@main.command()
@click.option("--recipe", default="default", show_default=True, help="Name in training/recipes, or a TOML file.")
@click.option(
    "--test-from", type=DAY, help="Learn from labels known before this day, evaluate on tests drawn from it on."
)
@click.pass_obj
def train(settings: Settings, recipe: str, test_from: datetime | None) -> None:
    """Train and calibrate a model, compare it with its baselines, register it in MLflow."""
    from data.lake import open_lake
    from training.recipe import read_recipe
    from training.train import train as train_model

    day = test_from.date() if test_from else None
    report = train_model(open_lake(settings.workspace), settings, read_recipe(recipe), day, TerminalProgress())
    click.echo(report.text())


@main.group()
def models() -> None:
    """List, show and promote registered models."""


@models.command("list")
@click.pass_obj
def list_models(settings: Settings) -> None:
    """List the registered models, newest first."""
    from training.tracking import list_models as registered

    for line in registered(settings):
        click.echo(line)


@models.command("show")
@click.argument("version")
@click.pass_obj
def show_model(settings: Settings, version: str) -> None:
    """Print the card of model VERSION."""
    from models.champion import read_model

    click.echo(read_model(settings.workspace, version).card)


@models.command("promote")
@click.argument("version")
@click.pass_obj
def promote_model(settings: Settings, version: str) -> None:
    """Make model VERSION the champion that scores."""
    from training.tracking import promote

    promote(settings, version)
    click.echo(f"Champion is now {version}. Next: touchstone score")


@main.command()
@click.option("--as-of", type=DAY, help="Score as of this day (default: the day after the newest row).")
@click.pass_obj
def score(settings: Settings, as_of: datetime | None) -> None:
    """Score the whole catalogue, with intervals and reasons, to Parquet."""
    folder = _score(settings, as_of)
    click.echo(f"Wrote scores to {folder}. Next: touchstone allocate --budget 20000, or touchstone serve")


@main.command()
@click.option("--budget", type=float, required=True, help="Euros to spend in this round.")
@click.option("--seed", default=1, show_default=True, help="Same seed and scores, same plan.")
@click.pass_obj
def allocate(settings: Settings, budget: float, seed: int) -> None:
    """Draw the next round's sampling plan, with known inclusion probabilities, within the budget."""
    _, text = _allocate(settings, budget, seed)
    click.echo(text)


@main.command()
@click.argument("sku_id")
@click.argument("market")
@click.pass_obj
def explain(settings: Settings, sku_id: str, market: str) -> None:
    """Say in sentences why SKU_ID in MARKET has its score."""
    from serving.catalogue import open_published

    click.echo(open_published(settings.workspace).explain(sku_id, market))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=3000, show_default=True)
@click.pass_obj
def serve(settings: Settings, host: str, port: int) -> None:
    """Serve the published scores, and plans, over HTTP until Ctrl-C."""
    _serve(settings, host, port)


@main.command()
@click.option(
    "--skus", default=20_000, show_default=True, type=click.IntRange(2_000), help="Size of the sample marketplace."
)
@click.option("--budget", default=20_000.0, show_default=True, help="Euros for the first sampling round.")
@click.option("--seed", default=1, show_default=True)
@click.option("--no-serve", is_flag=True, help="Stop after the summary.")
@click.pass_obj
def demo(settings: Settings, skus: int, budget: float, seed: int, no_serve: bool) -> None:
    """Run the whole job on a sample marketplace in WORKSPACE/demo, then serve it on port 3000."""
    from data.ingest import ingest as ingest_folder
    from data.lake import open_lake
    from data.marketplace.sample import write_sample
    from serving.summary import summary
    from training.recipe import read_recipe
    from training.tracking import promote
    from training.train import train as train_model

    settings = settings.at(settings.workspace.home / "demo")
    progress = TerminalProgress()
    sample = settings.workspace.home / "sample"
    write_sample(sample, skus=skus, days=730, seed=seed, until=SAMPLE_UNTIL.date(), progress=progress)
    ingest_folder(sample, settings.workspace, today=_today(), strict=True, progress=progress)
    report = train_model(open_lake(settings.workspace), settings, read_recipe("default"), None, progress)
    promote(settings, report.version)
    _score(settings, None)
    plan, _ = _allocate(settings, budget, seed)
    click.echo(summary(settings.workspace, plan))
    if not no_serve:
        _serve(settings, "127.0.0.1", 3000)


def _today() -> date:
    return datetime.now(UTC).date()
