"""The commands `estimate` and `select`, and the intake of a table of results for the command `results`."""

from datetime import datetime
from getpass import getuser
from pathlib import Path
from typing import Literal

import click

from data.cli import DAY, CommandContext

SHOWN = 10


def receive_file(call: CommandContext, file: Path) -> None:
    """Take in a table of results (CSV or Parquet: columns of lab_tests, and round_id); print what became of it."""
    from data.database.connection import open_database
    from data.lab_results.store import Sender
    from sampling.result_intake import receive_results
    from sampling.rounds import round_status, round_text

    workspace, engine = call.settings.workspace, open_database(call.settings.database_address)
    try:
        intake = receive_results(file, workspace, engine, Sender(getuser(), "command line", call.now))
    finally:
        engine.dispose()
    click.echo(str(intake.count))
    if intake.count.quarantined:
        click.echo(f"The refused rows are in {workspace.quarantine / 'results.parquet'}.")
    click.echo(f"{len(intake.new):,} results are new; {intake.known:,} had been recorded before.")
    for key, amends in intake.amendments.items():
        click.echo(f"Test {key.test_id}: version {key.version} amends version {amends}.")
    if intake.changed:
        click.echo(
            f"{intake.changed:,} had been recorded with other content and stay as they were. Give a correction the "
            "next version, another test a new test_id."
        )
    for why in intake.refused.values():
        click.echo(f"Refused: {why}.")
    for round_id in sorted({name for name in intake.new["round_id"].to_pylist() if name}):
        click.echo(round_text(round_status(workspace, round_id)))


@click.command()
@click.argument("rounds", nargs=-1)
@click.option(
    "--last", default=4, show_default=True, help="Without ROUNDS: use so many of the newest rounds with results."
)
@click.option("--as-of", type=DAY, help="Use results known before this day (default: tomorrow).")
@click.pass_obj
def estimate(call: CommandContext, rounds: tuple[str, ...], last: int, as_of: datetime | None) -> None:
    """Estimate how many SKUs would fail a test.

    An estimate for the whole catalogue, from the results of ROUNDS.
    """
    from datetime import timedelta

    from sampling.estimation.policy import estimation_policy_in_force
    from sampling.estimation.report import estimate_prevalence, estimate_text, latest_rounds, write_estimate

    workspace = call.settings.workspace
    day = as_of.date() if as_of else call.today + timedelta(days=1)
    round_ids_requested = list(rounds) or latest_rounds(workspace, last)
    result = estimate_prevalence(workspace, round_ids_requested, day, estimation_policy_in_force(day))
    click.echo(estimate_text(result))
    click.echo(f"The whole estimate is in {write_estimate(result, workspace.reports)}.")


@click.command()
@click.option("--fdr", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="Share that may be wrong.")
@click.option("--goal", type=click.Choice(["fails", "passes"]), default="fails", show_default=True)
@click.option("--category", help="Only this category.")
@click.option("--market", help="Only this market.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the list as CSV to this file.")
@click.pass_obj
def select(
    call: CommandContext,
    fdr: float | None,
    goal: Literal["fails", "passes"],
    category: str | None,
    market: str | None,
    out: Path | None,
) -> None:
    """List untested SKUs that would fail.

    Or pass; at most a share FDR of the list is wrong, on average over draws of the newest round with results.
    """
    from datetime import timedelta

    from sampling.estimation.round_data import Domain
    from sampling.selected_lists import ListRequest, select_list, selection_policy_in_force, write_list

    policy = selection_policy_in_force(call.today)
    request = ListRequest(goal, fdr or policy.false_share, Domain(category, market))
    selected = select_list(call.settings.workspace, request, call.today + timedelta(days=1), policy)
    click.echo(selected.promise)
    for row in selected.units.slice(0, SHOWN).to_pylist():
        click.echo(f"  {row['sku_id']} in {row['market']}, {row['category'] or 'no category'}: {row['p_fail']:.1%}")
    if len(selected.units) > SHOWN and out is None:
        click.echo(f"  and {len(selected.units) - SHOWN:,} more; give --out FILE.csv for all.")
    if selected.left_out:
        click.echo(f"{selected.left_out:,} SKUs that the round could not draw for a full test are left out.")
    if out is not None:
        write_list(selected, out)
        click.echo(f"The list is in {out}.")
