"""Commands of this room: results, estimate."""

from dataclasses import dataclass, replace
from datetime import datetime
from getpass import getuser
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from data.cli import DAY, FOLDER, CommandContext
from data.errors import UserError
from data.ingest.validation import TableCount
from data.lab_results.file_intake import validate_result_file
from data.lab_results.store import Sender, file_results, store_results
from data.lake.lab_results import SCHEMA
from data.workspace import Workspace
from sampling.rounds import planned_tests

_FILLED = {"propensity": "inclusion_probability", "package": "planned_package", "lab_id": "planned_lab"}


@dataclass(frozen=True)
class ResultIntake:
    """Outcome of a file of results: the count of its rows, and the accepted ones that are `new`.

    `known` rows had been accepted before; `changed` ones had been, with another content, and were left as they were.
    """

    count: TableCount
    new: pa.Table
    known: int
    changed: int


def receive_results(path: Path, workspace: Workspace, engine: sa.Engine, sender: Sender) -> ResultIntake:
    """Accept a file of results as the service accepts them: each test once, with a row of the ledger, then filed.

    What a row leaves open (propensity, strategy, package, laboratory) its plan fills in. Raises UserError where the
    file can not be read, nothing was ingested yet, or the database or the disk takes nothing more.
    """
    planned = planned_tests(workspace)
    validated = validate_result_file(
        path, workspace, sender.now.date(), planned, lambda rows: _fill_from_plan(rows, planned)
    )
    details = {"file": path.name, "quarantined": validated.count.quarantined}
    stored = store_results(engine, workspace, validated.sound.to_pylist(), replace(sender, details=details))
    try:
        file_results(engine, workspace, sender.now)
    except OSError as error:
        raise UserError(
            f"The results are accepted, but wait for their file: {error.strerror}. Make room and give {path} again."
        ) from error
    new = validated.sound.filter(pc.is_in(validated.sound["test_id"], pa.array(stored.new, pa.string())))
    return ResultIntake(validated.count, new, len(stored.known), len(stored.changed))


def _fill_from_plan(rows: pa.Table, planned: pa.Table) -> pa.Table:
    known = planned.select(["round_id", "sku_id", "market", "inclusion_probability", "package", "lab_id"])
    known = known.rename_columns([*known.column_names[:4], "planned_package", "planned_lab"])
    joined = rows.join(known, keys=["round_id", "sku_id", "market"])
    for name, source in _FILLED.items():
        filled = pc.coalesce(joined[name], joined[source])
        joined = joined.set_column(joined.column_names.index(name), name, filled)
    by_plan = pc.if_else(pc.is_valid(joined["inclusion_probability"]), "model", pa.scalar(None, pa.string()))
    strategy = pc.coalesce(joined["strategy"], by_plan)
    joined = joined.set_column(joined.column_names.index("strategy"), "strategy", strategy)
    return joined.select(SCHEMA.names).cast(SCHEMA)


@click.command()
@click.argument("file", type=FOLDER)
@click.pass_obj
def results(call: CommandContext, file: Path) -> None:
    """Take in the laboratory results of FILE (CSV or Parquet: the columns of lab_tests, and round_id)."""
    from data.database.connection import open_database
    from data.lab_results.store import Sender
    from sampling.rounds import round_status

    workspace, engine = call.settings.workspace, open_database(call.settings.database_address)
    try:
        intake = receive_results(file, workspace, engine, Sender(getuser(), "command line", call.now))
    finally:
        engine.dispose()
    click.echo(str(intake.count))
    click.echo(f"{len(intake.new):,} results are new, {intake.known:,} were known.")
    if intake.changed:
        click.echo(
            f"{intake.changed:,} were known with another content and stay as they were; give them a new test_id."
        )
    for round_id in sorted({name for name in intake.new["round_id"].to_pylist() if name}):
        status = round_status(workspace, round_id)
        what = "provisional" if status.provisional else "final"
        click.echo(f"Round {round_id}: {status.received:,} of {status.planned:,} results are in; figures are {what}.")


@click.command()
@click.argument("rounds", nargs=-1)
@click.option("--last", default=4, show_default=True, help="Without ROUNDS: the newest so many rounds with results.")
@click.option("--as-of", type=DAY, help="By results known before this day (default: tomorrow).")
@click.pass_obj
def estimate(call: CommandContext, rounds: tuple[str, ...], last: int, as_of: datetime | None) -> None:
    """Estimate how many SKUs of the whole catalogue would fail, from the results of ROUNDS."""
    from datetime import timedelta

    from sampling.estimation.policy import estimation_policy_in_force
    from sampling.estimation.report import estimate_prevalence, estimate_text, latest_rounds, write_estimate

    workspace = call.settings.workspace
    day = as_of.date() if as_of else call.today + timedelta(days=1)
    round_ids_requested = list(rounds) or latest_rounds(workspace, last)
    result = estimate_prevalence(workspace, round_ids_requested, day, estimation_policy_in_force(day))
    click.echo(estimate_text(result))
    click.echo(f"Everything is in {write_estimate(result, workspace.reports)}.")
