"""The commands about notices of shoppers: deleting what identifies people."""

from getpass import getuser

import click

from data.cli import CommandContext


@click.group()
def notices() -> None:
    """Delete what shoppers wrote in notices, their names and addresses."""


@notices.command("forget")
@click.argument("reference", required=False)
@click.option("--old", is_flag=True, help="Instead: all that are older than policy/notices keeps them.")
@click.pass_obj
def forget(call: CommandContext, reference: str | None, old: bool) -> None:
    """Delete what identifies the sender of the notice REFERENCE; that there was a notice stays."""
    from data.database.connection import open_database
    from serving.notices.policy import notice_policy_in_force
    from serving.notices.store import forget_notice, forget_old_notices

    if (reference is None) != old:
        raise click.UsageError("Give a reference, or --old.")
    engine = open_database(call.settings.database_address)
    try:
        if reference is not None:
            forget_notice(engine, reference.strip().upper(), getuser(), call.now)
            click.echo(f"What identified the sender of {reference} is deleted.")
            return
        count = forget_old_notices(engine, notice_policy_in_force(call.today), getuser(), call.now)
        click.echo(f"{count:,} old notices no longer identify anybody.")
    finally:
        engine.dispose()
