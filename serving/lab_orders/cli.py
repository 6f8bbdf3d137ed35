"""Commands: order files for laboratories, and results, in an order file or in a table of results."""

from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from data.cli import FOLDER, CommandContext
from data.errors import UserError
from sampling.cli import receive_file

if TYPE_CHECKING:
    import sqlalchemy as sa

    from serving.lab_orders.orders import OrderSources


@click.command("lab-orders")
@click.option("--round", "round_id", help="Only the tests of this round (default: every open test).")
@click.option("--lab", help="Only this laboratory (default: every one).")
@click.option("--output", required=True, type=FOLDER, help="The folder to write to, one file for each laboratory.")
@click.pass_obj
def lab_orders_command(call: CommandContext, round_id: str | None, lab: str | None, output: Path) -> None:
    """Write an order file for each laboratory.

    It says what to test by when, and holds no scores or reasons.
    """
    from data.database.connection import open_database
    from sampling.rounds import round_record
    from serving.lab_orders.files import file_name, order_file
    from serving.lab_orders.orders import lab_order_policy_in_force, lab_orders, open_orders

    if round_id is not None:
        round_record(call.settings.workspace, round_id)
    engine = open_database(call.settings.database_address)
    try:
        by_lab = open_orders(lab_orders(_sources(call, engine), round_id), None if round_id else call.today)
    finally:
        engine.dispose()
    if not by_lab:
        raise UserError(
            "No open test is waiting for its result: each has one, is too old, or its round was cancelled. Draw one."
        )
    if lab is not None and lab not in by_lab:
        raise UserError(f"Laboratory {lab!r} has no open test. These have: {', '.join(by_lab)}.")
    output.mkdir(parents=True, exist_ok=True)
    policy = lab_order_policy_in_force(call.today)
    for name in [lab] if lab is not None else by_lab:
        path = output / file_name(name, call.today, round_id)
        path.write_text(order_file(by_lab[name], policy), encoding="utf-8", newline="")
        click.echo(f"{name}: {len(by_lab[name]):,} tests in {path}.")


@click.command()
@click.argument("file", type=FOLDER)
@click.option("--preview", is_flag=True, help="Only show what of an order file would be accepted.")
@click.pass_obj
def results(call: CommandContext, file: Path, preview: bool) -> None:
    """Accept the laboratory results in FILE.

    FILE is a returned order file, or a table with the columns of lab_tests.
    """
    from serving.lab_orders.files import is_order_file

    if file.suffix == ".csv" and file.is_file():
        with file.open(encoding="utf-8-sig", errors="replace") as lines:
            if is_order_file(lines.readline()):
                _receive_order_file(call, file, preview)
                return
    if preview:
        raise UserError(f"{file} is no order file, and only those have a preview. Leave out --preview.")
    receive_file(call, file)


def _receive_order_file(call: CommandContext, file: Path, preview: bool) -> None:
    from data.database.connection import open_database
    from data.lab_results.store import Sender
    from serving.api.lab_results import LabResultIntake
    from serving.lab_orders.intake import accept_rows, preview_rows, returned_rows
    from serving.online.store import open_online_store

    workspace, engine = call.settings.workspace, open_database(call.settings.database_address)
    try:
        intake = LabResultIntake(engine, workspace, open_online_store(workspace))
        sender = Sender(getuser(), "command line", call.now, {"file": file.name})
        rows = returned_rows(intake, file.read_bytes(), sender)
        outcomes = preview_rows(intake, rows, sender)
        for each in outcomes:
            if each.outcome == "refused":
                click.echo(f"Line {each.row.line} is refused: {'; '.join(each.why)}.")
        new, known, changed = (sum(each.outcome == name for each in outcomes) for name in ("new", "known", "changed"))
        if not preview:
            accept_rows(intake, rows, sender)
    finally:
        engine.dispose()
    click.echo(f"{new:,} results {'would be' if preview else 'are'} accepted, {known:,} were known.")
    if changed:
        click.echo(
            f"{changed:,} are known with another content and stay as they were; give a correction the next version."
        )


def _sources(call: CommandContext, engine: "sa.Engine") -> "OrderSources":
    from serving.lab_orders.orders import OrderSources
    from serving.online.store import open_online_store

    workspace = call.settings.workspace
    return OrderSources(workspace, engine, open_online_store(workspace))
