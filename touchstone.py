"""The front door: the command line. It asks the clock, reads the settings, calls the rooms, prints; no logic."""

import os
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from data.progress import TerminalProgress
from data.refusal import Refusal
from data.settings import Settings, read_settings

if TYPE_CHECKING:
    from sampling.plan import Plan

REPOSITORY = Path(__file__).resolve().parent
DAY = click.DateTime(["%Y-%m-%d"])
FOLDER = click.Path(path_type=Path)


class FrontDoor(click.Group):
    """A group of commands that answers a refused input, or a file it cannot use, with one message and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a Refusal becomes its message."""
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            raise click.ClickException(str(refusal)) from refusal
        except OSError as error:
            if error.strerror is None:
                raise
            place = error.filename or "A file"
            raise click.ClickException(f"{place} cannot be used: {error.strerror}. Name another or mend it.") from error


@click.group(cls=FrontDoor, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--home", type=FOLDER, help="The workspace folder (default: $TOUCHSTONE_HOME, else ./workspace).")
@click.pass_context
def main(context: click.Context, home: Path | None) -> None:
    """Which SKUs would fail a laboratory test, why, and where the next test money should go."""
    context.obj = read_settings(home)


@main.command("sample-data")
@click.option("--out", type=FOLDER, required=True, help="Folder to write the tables to.")
@click.option("--skus", default=20_000, show_default=True, help="Catalogue rows (SKU and market).")
@click.option("--days", default=730, show_default=True, help="Days of history, up to 2026-06-30.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same marketplace.")
def sample_data(out: Path, skus: int, days: int, seed: int) -> None:
    """Write a synthetic marketplace: all contract tables, and the truth beside them."""
    from data.marketplace.sample import write_sample

    write_sample(out, skus=skus, days=days, seed=seed, progress=TerminalProgress())
    click.echo(f"Wrote a marketplace of {skus:,} SKUs to {out}. Next: touchstone ingest {out}")


@main.command("import")
@click.argument("name")
@click.argument("file", type=FOLDER)
@click.option("--out", type=FOLDER, required=True, help="Folder to write the contract tables to.")
def import_public(name: str, file: Path, out: Path) -> None:
    """Turn the public data set NAME (such as nyc-metals) in FILE into contract tables."""
    from data.importers import importer_named

    click.echo(str(importer_named(name)(file, out)))
    click.echo(f"Next: touchstone ingest {out}")


@main.command()
@click.argument("source", type=FOLDER)
@click.option("--strict", is_flag=True, help="Refuse the whole folder if any row is bad.")
@click.pass_obj
def ingest(settings: Settings, source: Path, strict: bool) -> None:
    """Validate the tables in SOURCE and make them the lake; bad rows go to quarantine with the rule they broke."""
    from data.ingest import ingest as ingest_folder

    counts = ingest_folder(source, settings.workspace, today=_today(), strict=strict, progress=TerminalProgress())
    for count in counts:
        click.echo(str(count))


@main.command()
@click.option("--recipe", default="default", show_default=True, help="Name in training/recipes, or a TOML file.")
@click.option("--test-from", type=DAY, help="Learn from labels known before, evaluate on tests drawn from then on.")
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
    from models.champion import model

    click.echo(model(settings.workspace, version).card)


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
@click.option("--engine", type=click.Choice(["duckdb", "spark"]), default="duckdb", show_default=True)
@click.option("--master", help="Spark's master: local[2], spark://HOST:7077, yarn (default: local[*]).")
@click.pass_obj
def score(settings: Settings, as_of: datetime | None, engine: str, master: str | None) -> None:
    """Score the whole catalogue, with intervals and reasons, to Parquet."""
    from serving.publication import day_in_service

    if master and engine != "spark":
        raise click.UsageError("--master belongs to --engine spark.")
    day = as_of.date() if as_of else None
    if day and day > _today() + timedelta(days=1):
        raise Refusal(f"{day} lies in the future. Score as of tomorrow at the latest.")
    if engine == "spark":
        click.echo(f"Scores are in {_score_on_spark(settings, day, master or 'local[*]')}.")
        return
    folder = _score(settings, day)
    in_service = day_in_service(settings.workspace)
    click.echo(f"Scores are in {folder}; in service are those of {in_service}.")
    click.echo("Next: touchstone allocate --budget 20000, or touchstone serve")


@main.command()
@click.option("--budget", type=float, required=True, help="Euros to spend in this round.")
@click.option("--seed", default=1, show_default=True, help="Same seed and scores, same plan.")
@click.pass_obj
def allocate(settings: Settings, budget: float, seed: int) -> None:
    """Draw the next round's sampling plan, with known inclusion probabilities, within the budget."""
    from serving.summary import plan_summary

    plan, folder = _allocate(settings, budget, seed)
    click.echo(plan_summary(plan.summary))
    click.echo(f"The plan is in {folder}.")


@main.command()
@click.argument("sku_id")
@click.argument("market")
@click.pass_obj
def explain(settings: Settings, sku_id: str, market: str) -> None:
    """Say in sentences why SKU_ID in MARKET has its score."""
    from serving.published import published_now
    from serving.summary import explanation

    click.echo(explanation(published_now(settings.workspace), sku_id, market))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535))
@click.pass_obj
def serve(settings: Settings, host: str, port: int) -> None:
    """Serve the published scores, and plans, over HTTP until Ctrl-C."""
    _serve(settings, host, port)


@main.command()
@click.option("--skus", default=20_000, show_default=True, help="Size of the sample marketplace.")
@click.option("--budget", default=20_000.0, show_default=True, help="Euros for the first sampling round.")
@click.option("--seed", default=1, show_default=True, help="Of the marketplace and of the draw.")
@click.option("--no-serve", is_flag=True, help="Stop after the summary.")
@click.pass_obj
def demo(settings: Settings, skus: int, budget: float, seed: int, no_serve: bool) -> None:
    """Run the whole job on a sample marketplace in WORKSPACE/demo, then serve it on port 3000."""
    from data.ingest import ingest as ingest_folder
    from data.lake import open_lake
    from data.marketplace.sample import write_sample
    from serving.published import published_now
    from serving.summary import catalogue_summary, plan_summary
    from training.recipe import read_recipe
    from training.tracking import promote
    from training.train import train as train_model

    settings = settings.inside("demo")
    progress, sample = TerminalProgress(), settings.workspace.home / "sample"
    write_sample(sample, skus=skus, days=730, seed=seed, progress=progress)
    ingest_folder(sample, settings.workspace, today=_today(), strict=True, progress=progress)
    report = train_model(open_lake(settings.workspace), settings, read_recipe("default"), None, progress)
    promote(settings, report.version)
    _score(settings, None)
    plan, folder = _allocate(settings, budget, seed)
    click.echo(catalogue_summary(published_now(settings.workspace)))
    click.echo(plan_summary(plan.summary))
    click.echo(f"\nEverything is in {settings.workspace.home}, the plan in {folder}.")
    if not no_serve:
        _serve(settings, "127.0.0.1", 3000)


def _score(settings: Settings, as_of: date | None) -> Path:
    from data.lake import latest_known_on, open_lake
    from models.champion import champion
    from serving.batch import score_catalogue

    tables, artefact = open_lake(settings.workspace), champion(settings.workspace)
    as_of = as_of or latest_known_on(tables) + timedelta(days=1)
    return score_catalogue(settings.workspace, tables, artefact, as_of, TerminalProgress())


def _score_on_spark(settings: Settings, as_of: date | None, master: str) -> Path:
    from models.champion import champion
    from serving.spark import score_on_spark, spark_session

    artefact = champion(settings.workspace)
    with spark_session(master, settings.worker_python) as session:
        return score_on_spark(session, settings.workspace, artefact, as_of, TerminalProgress())


def _allocate(settings: Settings, budget_eur: float, seed: int) -> tuple["Plan", Path]:
    from sampling.plan import write_plan
    from serving.published import published_now

    plan = published_now(settings.workspace).plan(budget_eur, seed)
    return plan, write_plan(plan, settings.workspace.plans)


def _serve(settings: Settings, host: str, port: int) -> None:
    """Become the service: this process is replaced, so that Ctrl-C reaches it."""
    from serving.published import published_now

    published_now(settings.workspace)
    _refuse_taken(host, port)
    click.echo(f"Serving scores, plans and their documentation on http://{host}:{port} until Ctrl-C.")
    place = ["--host", host, "--port", str(port), "--working-dir", str(REPOSITORY)]
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Touchstone", *place]
    environment = os.environ | {"TOUCHSTONE_HOME": str(settings.workspace.home), "BENTOML_DO_NOT_TRACK": "True"}
    os.execve(sys.executable, command, environment)  # noqa: S606 - our own interpreter, no shell


def _refuse_taken(host: str, port: int) -> None:
    import socket

    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise Refusal(f"{host}:{port} cannot be served on: {error.strerror}. Give another --host or --port.") from error


def _today() -> date:
    return datetime.now(UTC).date()


if __name__ == "__main__":
    main()
