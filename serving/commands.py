"""The commands that score the catalogue, explain, plan the next tests, and serve."""

import os
import secrets
import sys
from datetime import date, datetime, timedelta
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from data.cli import DAY, FOLDER, Call
from data.errors import Refusal
from data.progress import Progress, TerminalProgress
from data.settings import Settings

if TYPE_CHECKING:
    from sampling.plan import Plan

REPOSITORY = Path(__file__).resolve().parent.parent


@click.command()
@click.option("--as-of", type=DAY, help="Score as of this day (default: the day after the newest row).")
@click.option("--engine", type=click.Choice(["duckdb", "spark"]), default="duckdb", show_default=True)
@click.option("--master", help="Spark's master: local[2], spark://HOST:7077, yarn (default: local[*]).")
@click.pass_obj
def score(call: Call, as_of: datetime | None, engine: str, master: str | None) -> None:
    """Score the whole catalogue, with intervals and reasons, to Parquet."""
    from serving.publication import day_in_service

    if master and engine != "spark":
        raise click.UsageError("--master belongs to --engine spark.")
    day = as_of.date() if as_of else None
    if day and day > call.today + timedelta(days=1):
        raise Refusal(f"{day} lies in the future. Score as of tomorrow at the latest.")
    if engine == "spark":
        click.echo(f"Scores are in {_score_on_spark(call.settings, day, master or 'local[*]')}.")
        return
    folder = score_day(call.settings, day, TerminalProgress())
    in_service = day_in_service(call.settings.workspace)
    click.echo(f"Scores are in {folder}; in service are those of {in_service}.")
    click.echo("Next: touchstone allocate --budget 20000, or touchstone serve")


@click.command()
@click.option("--budget", type=float, help="Euros to spend in this round.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Draw with this seed (default: a sealed or new one).")
@click.option("--seal", is_flag=True, help="Only print the seal of the next round's seed, to publish it.")
@click.pass_obj
def allocate(call: Call, budget: float | None, seed: int | None, seal: bool) -> None:
    """Draw the next round's sampling plan, with known inclusion probabilities, within the budget and every limit."""
    from serving.summary import plan_summary

    if seal:
        click.echo(f"{_seal(call)}\nPublish this seal; the next `touchstone allocate` without --seed opens it.")
        return
    if budget is None:
        raise click.UsageError("Give --budget, or --seal.")
    plan, folder = plan_round(call, budget, seed)
    click.echo(plan_summary(plan.summary))
    click.echo(f"The plan is in {folder}.")


@click.command()
@click.argument("sku_id")
@click.argument("market")
@click.pass_obj
def explain_command(call: Call, sku_id: str, market: str) -> None:
    """Say in sentences why SKU_ID in MARKET has its score."""
    from serving.published import published_now
    from serving.summary import explanation

    click.echo(explanation(published_now(call.settings.workspace), sku_id, market))


@click.command()
@click.option("--out", required=True, type=FOLDER, help="The Parquet file to write.")
@click.pass_obj
def verdicts(call: Call, out: Path) -> None:
    """Write what officers said of quoted sentences, as labels for the text model."""
    from data.database.connection import open_state
    from serving.decisions.verdicts import write_labels

    engine = open_state(call.settings.database_address)
    click.echo(f"{write_labels(engine, out):,} labels are in {out}.")
    engine.dispose()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 256), help="Processes that answer.")
@click.pass_obj
def serve(call: Call, host: str, port: int, workers: int) -> None:
    """Serve scores, plans and the rest over HTTP until Ctrl-C, to whoever holds a key."""
    serve_published(call.settings, host, port, workers)


def _seal(call: Call) -> str:
    """The seal of the next round's seed, which is chosen and recorded at the first call."""
    from data.database.audit_log import Versions
    from sampling.randomness import Sealed, keep_sealed, kept_sealed

    plans = call.settings.workspace.plans
    kept = kept_sealed(plans)
    if kept is None:
        kept = Sealed(secrets.randbits(62), secrets.token_hex(16))
        keep_sealed(kept, plans)
        call.record("seal", kept.seal, {}, Versions())
    return kept.seal


def score_day(settings: Settings, as_of: date | None, progress: Progress) -> Path:
    """Score the catalogue with the champion, as of the day after the newest row where no day is given; prune after."""
    from data.lake.store import current_lake, latest_known_on
    from features.reading import read_lake
    from models.registry import champion
    from serving.batch import score_catalogue
    from serving.pruning import prune

    current_lake(settings.workspace)  # what is missing is said before reviews are read
    artefact = champion(settings.workspace)
    tables = read_lake(settings.workspace, progress)
    as_of = as_of or latest_known_on(tables) + timedelta(days=1)
    scores = score_catalogue(settings.workspace, tables, artefact, as_of, progress)
    prune(settings.workspace, settings.keep_days)
    return scores


def _score_on_spark(settings: Settings, as_of: date | None, master: str) -> Path:
    from models.registry import champion
    from serving.spark import score_on_spark, spark_session

    artefact = champion(settings.workspace)
    with spark_session(master, settings.worker_python) as session:
        return score_on_spark(session, settings.workspace, artefact, as_of, TerminalProgress())


def plan_round(call: Call, budget_eur: float, seed: int | None = None) -> "tuple[Plan, Path]":
    """Plan a round from the scores in service, and record it; the plan, and the folder it was written to."""
    from data.database.connection import open_state
    from serving.planning import Planner, draw_plan
    from serving.published import published_now

    workspace = call.settings.workspace
    published = published_now(workspace)
    engine = open_state(call.settings.database_address)
    try:
        plan = draw_plan(workspace, published, budget_eur, Planner(engine, getuser(), call.now), seed)
    finally:
        engine.dispose()
    return plan, workspace.plans / plan.summary.round_id


def serve_published(settings: Settings, host: str, port: int, workers: int = 1) -> None:
    """Become the service: this process is replaced, so that Ctrl-C reaches it."""
    from serving.published import published_now

    published_now(settings.workspace)
    refuse_taken(host, port)
    click.echo(_who_may_ask(settings, host))
    click.echo(f"Serving scores, plans and their documentation on http://{host}:{port} until Ctrl-C.")
    place = ["--host", host, "--port", str(port), "--working-dir", str(REPOSITORY)]
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Touchstone", *place]
    environment = os.environ | {
        "TOUCHSTONE_HOME": str(settings.workspace.home),
        "TOUCHSTONE_INSECURE": "1" if settings.insecure else "",
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_CONFIG_OPTIONS": f"services.touchstone.workers={workers}",
    }
    os.execve(sys.executable, command, environment)  # noqa: S606 - our own interpreter, no shell


def _who_may_ask(settings: Settings, host: str) -> str:
    """Who is answered, in a sentence; Refusal where the door would stand open to other machines."""
    from data.database.connection import open_state
    from serving.access.keys import listed_keys
    from serving.access.loopback import is_loopback

    if settings.insecure and not is_loopback(host):
        raise Refusal(
            f"TOUCHSTONE_INSECURE=1 asks nobody for a key, which is for this machine alone, not for {host}. "
            "Serve on 127.0.0.1, or unset it and make keys with `touchstone keys create`."
        )
    if settings.insecure:
        return "INSECURE: no key is asked for. Every program on this machine may ask and decide as an admin."
    engine = open_state(settings.database_address)
    opening = sum(row.revoked_at is None for row in listed_keys(engine))
    engine.dispose()
    if not opening:
        return "Nobody holds a key yet. Make one: touchstone keys create NAME --role scheduler"
    return f"{opening} key{'s' if opening > 1 else ''} can ask; touchstone keys list shows them."


def refuse_taken(host: str, port: int) -> None:
    """Raise Refusal where the address cannot be listened on."""
    import socket

    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise Refusal(f"{host}:{port} cannot be served on: {error.strerror}. Give another --host or --port.") from error
