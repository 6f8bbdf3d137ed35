"""The commands that score the catalogue, explain, plan the next tests, and serve."""

import os
import sys
from datetime import date, datetime, timedelta
from getpass import getuser
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import click

from data.cli import DAY, FOLDER, CommandContext
from data.errors import UserError
from data.progress import TerminalProgress
from data.settings import Settings

if TYPE_CHECKING:
    from sampling.plan import Plan, PlanSummary
    from serving.online.store import OnlineStore
    from serving.schemas import ScoreRow

WIDTH = 110
RISKIEST = 5


def catalogue_summary(published: "OnlineStore") -> str:
    """Size of the catalogue, skill on held-out tests, and the riskiest SKUs with a reason each, as text."""
    scored = published.publication
    return "\n".join([
        "",
        f"{len(published.snapshot):,} SKUs scored as of {scored.as_of} by model {scored.model_version}.",
        _held_out_summary(published),
        _expected_summary(published),
        "",
        f"The {RISKIEST} riskiest SKUs, each with its strongest reason:",
        *(_score_line(row) for row in published.riskiest(RISKIEST)),
        "",
    ])  # fmt: skip


def plan_summary(plan: "PlanSummary") -> str:
    """Tests and cost of a plan, the minimums it misses, and the marginal value of more money, as text."""
    from serving.html.filters import percent

    tests = (
        f"EUR {plan.budget_eur:,.0f} buys {plan.tests:,} tests for EUR {plan.cost_eur:,.0f}; "
        f"{percent(plan.random_share)} of the budget is drawn at random. We expect {plan.expected_failures:,.0f} "
        f"failures; if all tests were drawn at random, {plan.expected_failures_at_random:,.0f}."
    )
    share = 100 * plan.worth_of_1000_eur / plan.value if plan.value else 0.0
    lines = [_wrap(tests), f"Another EUR 1,000 would add {share:.1f} % to the plan's value."]
    lines += [
        f"Only {short.tests - short.unmet} of the {short.tests} tests that the law requires of {short.category} in "
        f"{short.market} can be done."
        for short in plan.minimums
        if short.unmet
    ]
    if plan.note:
        lines.append(_wrap(plan.note))
    if plan.waiting:
        lines.append(f"{plan.waiting:,} SKUs cannot be selected in this round: their laboratories have no free slot.")
    return "\n".join(lines)


def _held_out_summary(published: "OnlineStore") -> str:
    """Failures among the riskiest held-out tests against random ones, as a sentence."""
    metrics = published.metrics
    depths = metrics["found"]
    riskiest = depths.get("riskiest_100", depths["riskiest_10_percent"])
    low, high = riskiest["failed_interval"]
    return _wrap(
        f"On tests that it did not learn from (drawn from {metrics['data']['test_from']} on): of the "
        f"{riskiest['tests']:,} riskiest of {riskiest['of']:,}, {riskiest['failed']:,.0f} failed ({low:,.0f} to "
        f"{high:,.0f}); of as many at random, {riskiest['at_random']:,.0f} would have. AUC {metrics['auc']:.3f}."
    )


def _expected_summary(published: "OnlineStore") -> str:
    """Predicted failures among the riskiest SKUs of the catalogue against random ones, as a sentence."""
    p_fail = sorted(published.p_fail, reverse=True)
    riskiest, mean = sum(p_fail[:100]), sum(p_fail) / len(p_fail)
    return (
        f"Of the 100 riskiest SKUs of the catalogue we predict {riskiest:.0f} to fail; of 100 at random, "
        f"{100 * mean:.0f}."
    )


def _score_line(row: "ScoreRow") -> str:
    from serving.html.filters import percent

    reason = (row.reasons or [])[0].sentence if row.reasons else ""
    likely = f"{percent(row.p_low)} to {percent(row.p_high)}"
    head = f"{row.rank:>3}  {row.sku_id} {row.market}  {percent(row.p_fail)} ({likely})  "
    return fill(reason, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))


def _wrap(text: str) -> str:
    return fill(text, WIDTH)


REPOSITORY = Path(__file__).resolve().parent.parent


@click.command()
@click.option("--as-of", type=DAY, help="Score as of this day (default: the day after the newest row).")
@click.option("--engine", type=click.Choice(["duckdb", "spark"]), default="duckdb", show_default=True)
@click.option("--master", help="Spark's master: local[2], spark://HOST:7077, yarn (default: local[*]).")
@click.option("--publish", is_flag=True, help="Put Spark's scores into service; needs the features here once more.")
@click.pass_obj
def score(call: CommandContext, as_of: datetime | None, engine: str, master: str | None, publish: bool) -> None:
    """Score every SKU, with intervals and reasons."""
    from serving.publication import day_in_service
    from serving.scoring.batch import score_day
    from serving.trust.publication import publish_trust_of
    from serving.uncovered_categories import catalogue_gaps, unlisted_note

    if (master or publish) and engine != "spark":
        raise click.UsageError("--master and --publish belong to --engine spark.")
    day = as_of.date() if as_of else None
    if day and day > call.today + timedelta(days=1):
        raise UserError(f"{day} lies in the future. Score as of tomorrow at the latest.")
    if engine == "spark":
        folder = _score_on_spark(call.settings, day, master or "local[*]", publish=publish)
        if publish:
            publish_trust_of(call.settings, call.now)
        click.echo(f"The scores are in {folder}{'; they are in service' if publish else ''}.")
        return
    folder = score_day(call.settings, day, TerminalProgress())
    in_service = day_in_service(call.settings.workspace)
    publish_trust_of(call.settings, call.now)
    click.echo(f"The scores are in {folder}; those of {in_service} are in service.")
    if unlisted := unlisted_note(call.settings.workspace, day or in_service or call.today):
        click.echo(unlisted)
    if uncovered := catalogue_gaps(call.settings.workspace, day or call.today):
        click.echo(uncovered)
    click.echo("Next: touchstone allocate --budget 20000, or touchstone serve")


@click.command()
@click.option("--budget", type=float, help="Euros to spend in this round.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Draw with this seed (default: a sealed or new one).")
@click.option("--seal", is_flag=True, help="Only print the seal of the next round's seed, to publish it.")
@click.pass_obj
def allocate(call: CommandContext, budget: float | None, seed: int | None, seal: bool) -> None:
    """Draw the next round of tests within a budget."""
    if seal:
        click.echo(
            f"{_seal_next_seed(call)}\nPublish this seal; the next `touchstone allocate` without --seed opens it."
        )
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
def explain(call: CommandContext, sku_id: str, market: str) -> None:
    """Explain the score of one SKU in sentences."""
    from serving.explanation_text import explanation
    from serving.online.store import open_online_store

    click.echo(explanation(open_online_store(call.settings.workspace), sku_id, market))


@click.command()
@click.option("--out", required=True, type=FOLDER, help="The Parquet file to write.")
@click.pass_obj
def verdicts(call: CommandContext, out: Path) -> None:
    """Export officers' labels of review sentences."""
    from data.database.connection import open_database
    from serving.decisions.assignment_and_labels import write_labels

    engine = open_database(call.settings.database_address)
    click.echo(f"{write_labels(engine, out):,} labels are in {out}.")
    engine.dispose()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 256), help="Processes that answer.")
@click.pass_obj
def serve(call: CommandContext, host: str, port: int, workers: int) -> None:
    """Serve scores, plans and the console over HTTP."""
    run_service(call.settings, host, port, workers)


def _seal_next_seed(call: CommandContext) -> str:
    """The seal of the next round's seed, which the first call records."""
    from data.database.audit_log import AuditEvent, Versions, audit_rows, record_event
    from data.database.connection import open_database
    from sampling.sealed_seeds import next_seed

    engine = open_database(call.settings.database_address)
    try:
        seal = next_seed(engine, call.settings.workspace).seal
        if not any(True for _ in audit_rows(engine, seal)):
            record_event(engine, AuditEvent(getuser(), "seal", seal, {}, Versions()), call.now)
    finally:
        engine.dispose()
    return seal


def _score_on_spark(settings: Settings, as_of: date | None, master: str, *, publish: bool) -> Path:
    from features.review_text.incremental import read_lake
    from models.registry import load_champion
    from serving.scoring.batch import publish_scores
    from serving.scoring.spark import score_on_spark, spark_session

    workspace, progress = settings.workspace, TerminalProgress()
    artifact = load_champion(workspace)
    with spark_session(master, settings.worker_python) as session:
        folder = score_on_spark(session, workspace, artifact, as_of, progress)
    if publish:
        day = date.fromisoformat(folder.name.removeprefix("as_of="))
        publish_scores(workspace, read_lake(workspace, progress), artifact, day, progress)
    return folder


def plan_round(call: CommandContext, budget_eur: float, seed: int | None = None) -> "tuple[Plan, Path]":
    """Plan a round from the scores in service and record it; return the plan and its folder."""
    from data.database.connection import open_database
    from serving.api.allocate import Planner, draw_plan
    from serving.online.store import open_online_store

    workspace = call.settings.workspace
    published = open_online_store(workspace)
    engine = open_database(call.settings.database_address)
    try:
        plan = draw_plan(workspace, published, budget_eur, Planner(engine, getuser(), call.now), seed)
    finally:
        engine.dispose()
    return plan, workspace.plans / plan.summary.round_id


def run_service(settings: Settings, host: str, port: int, workers: int = 1) -> None:
    """Become the service: this process is replaced, so that Ctrl-C reaches it."""
    from serving.online.store import open_online_store

    open_online_store(settings.workspace)
    require_free_address(host, port)
    click.echo(_access_summary(settings, host))
    click.echo(f"Serving scores, plans and their documentation on http://{host}:{port} until Ctrl-C.")
    address = ["--host", host, "--port", str(port), "--working-dir", str(REPOSITORY)]
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Touchstone", *address]
    environment = os.environ | {
        "TOUCHSTONE_HOME": str(settings.workspace.home),
        "TOUCHSTONE_INSECURE": "1" if settings.insecure else "",
        "BENTOML_DO_NOT_TRACK": "True",
        # Tasks and metrics of each service are its own.
        "BENTOML_HOME": os.environ.get("BENTOML_HOME") or str(settings.workspace.service_state(port)),
        "BENTOML_CONFIG_OPTIONS": f"services.touchstone.workers={workers}",
    }
    os.execve(sys.executable, command, environment)  # noqa: S606 - our own interpreter, no shell


def _access_summary(settings: Settings, host: str) -> str:
    """Who is answered, as a sentence; UserError where other machines would be answered without a key."""
    from data.database.connection import open_database
    from serving.auth.api_keys import list_keys
    from serving.auth.permissions import is_loopback

    if settings.insecure and not is_loopback(host):
        raise UserError(
            f"TOUCHSTONE_INSECURE=1 requires no key, which is for this machine alone, not for {host}. "
            "Serve on 127.0.0.1, or unset it and create keys with `touchstone keys create`."
        )
    if settings.insecure:
        return "INSECURE: no key is required. Every program on this machine may ask and decide as an admin."
    engine = open_database(settings.database_address)
    keys = sum(row.revoked_at is None for row in list_keys(engine))
    engine.dispose()
    if not keys:
        return "There are no keys yet. Create one: touchstone keys create NAME --role scheduler"
    return f"{keys} key{'s' if keys > 1 else ''} can be used; touchstone keys list shows them."


def require_free_address(host: str, port: int) -> None:
    """Raise UserError where the address cannot be listened on."""
    import socket

    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise UserError(
            f"{host}:{port} cannot be served on: {error.strerror}. Give another --host or --port."
        ) from error
