"""The commands that make, list and revoke keys."""

import click

from data.cli import CommandContext
from data.errors import UserError
from serving.auth.api_keys import LABORATORY, ROLES, Key


@click.group()
def keys() -> None:
    """Create, list and revoke keys.

    Keys open the service and the console.
    """


@keys.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice((*ROLES, LABORATORY)), required=True, help="What the key may do.")
@click.option("--lab", help="Whose orders and results a key of the role laboratory is for (default: NAME).")
@click.option("--person", help="Whose key it is, where NAME is not the person's (default: NAME).")
@click.pass_obj
def create(call: CommandContext, name: str, role: str, lab: str | None, person: str | None) -> None:
    """Create a key for NAME and show its secret once.

    What one key of a person proposed, no other key of the same person can approve.
    """
    from getpass import getuser

    from data.database.connection import open_database
    from serving.auth.api_keys import create_key, create_laboratory_key

    if lab is not None and role != LABORATORY:
        raise UserError(f"Only a key of the role laboratory is of a laboratory, not one of {role}. Leave out --lab.")
    engine = open_database(call.settings.database_address)
    if role == LABORATORY:
        key, secret = create_laboratory_key(engine, lab or name, call.now, getuser())
    else:
        key, secret = create_key(engine, name, role, call.now, getuser(), person)  # type: ignore[arg-type]
    engine.dispose()
    click.echo(secret)
    click.echo(f"That is the key {key.id} of {key.name} ({key.role}). It cannot be shown again.", err=True)
    click.echo("Use it as `Authorization: Bearer KEY`, or to sign in to the console.", err=True)


@keys.command("list")
@click.pass_obj
def show(call: CommandContext) -> None:
    """List every key ever created; secrets are not kept."""
    from data.database.connection import open_database
    from serving.auth.api_keys import list_keys

    engine = open_database(call.settings.database_address)
    listed = list_keys(engine)
    engine.dispose()
    for row in listed:
        state = f"revoked {row.revoked_at[:16]}Z" if row.revoked_at else "active"
        click.echo(f"{row.key.id}  {row.key.role:<10}  made {row.created_at[:16]}Z  {state:<24}  {_named(row.key)}")
    if not listed:
        click.echo("There are no keys yet. Next: touchstone keys create NAME --role scheduler")


def _named(key: Key) -> str:
    return key.name if key.person == key.name else f"{key.name}, of {key.person}"


@keys.command("revoke")
@click.argument("key_id")
@click.pass_obj
def revoke(call: CommandContext, key_id: str) -> None:
    """Revoke the key KEY_ID; a running service notices within seconds."""
    from getpass import getuser

    from data.database.connection import open_database
    from serving.auth.api_keys import revoke_key

    engine = open_database(call.settings.database_address)
    revoke_key(engine, key_id, call.now, getuser())
    engine.dispose()
    click.echo(f"The key {key_id} is revoked.")
