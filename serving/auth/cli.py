"""The commands that make, list and revoke keys, and list and end sessions."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import click

from data.cli import CommandContext
from data.errors import UserError
from serving.auth.api_keys import LABORATORY, ROLES, Key

if TYPE_CHECKING:
    from serving.auth.api_keys import ListedKey

SHOWN_SIGN_INS = 50


@click.group()
def keys() -> None:
    """Create, list and revoke keys, and end sessions.

    Keys open the service and the console.
    """


@keys.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice((*ROLES, LABORATORY)), required=True, help="What the key may do.")
@click.option("--lab", help="Whose orders and results a key of the role laboratory is for (default: NAME).")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="The last day on which it opens, UTC.")
@click.option("--days", type=click.IntRange(1, 3650), help="Instead: for so many days from today.")
@click.option("--person", help="Whose key it is, where NAME is not the person's (default: NAME).")
@click.pass_obj
def create(  # noqa: PLR0913 - one parameter an option
    call: CommandContext, *, name: str, role: str, lab: str | None, expires: datetime | None, days: int | None,
    person: str | None,
) -> None:  # fmt: skip
    """Create a key for NAME and show its secret once.

    What one key of a person proposed, no other key of the same person can approve.
    """
    from getpass import getuser

    from data.database.connection import open_database
    from serving.auth.api_keys import KeyRequest, issue_key

    if lab is not None and role != LABORATORY:
        raise UserError(f"Only a key of the role laboratory is of a laboratory, not one of {role}. Leave out --lab.")
    if expires is not None and days is not None:
        raise UserError("--expires and --days both say when the key expires. Give one of them.")
    last = expires.date() if expires else call.now.astimezone(UTC).date() + timedelta(days=days) if days else None
    engine = open_database(call.settings.database_address)
    named = (lab or name) if role == LABORATORY else name
    request = KeyRequest(named, role, None if role == LABORATORY else person, last)  # type: ignore[arg-type]
    key, secret = issue_key(engine, request, call.now, getuser())
    engine.dispose()
    click.echo(secret)
    click.echo(f"That is the key {key.id} of {key.name} ({key.role}). It cannot be shown again.", err=True)
    if last is not None:
        click.echo(f"It opens until {last}.", err=True)
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
        used = f"used {row.last_used_at[:16]}Z" if row.last_used_at else "never used"
        state = _state(row, call.now.astimezone(UTC).date())
        click.echo(
            f"{row.key.id}  {row.key.role:<10}  made {row.created_at[:16]}Z  {state:<24}  {used:<22}  {_named(row.key)}"
        )
    if not listed:
        click.echo("There are no keys yet. Next: touchstone keys create NAME --role scheduler")


def _state(row: "ListedKey", today: date) -> str:
    if row.revoked_at:
        return f"revoked {row.revoked_at[:16]}Z"
    last = row.key.expires_on
    return "active" if last is None else f"expired {last}" if last < today else f"active until {last}"


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


@keys.command("sessions")
@click.option("--end", "session_id", help="End this session on every worker at once.")
@click.pass_obj
def sessions(call: CommandContext, session_id: str | None) -> None:
    """List who is signed in to the console, or end one of the sessions."""
    from data.database.connection import open_database
    from serving.auth.sign_ins import SESSION_SECONDS, end_session, open_sessions

    engine = open_database(call.settings.database_address)
    try:
        if session_id is not None:
            end_session(engine, session_id, call.now)
            click.echo(f"The session {session_id} is ended.")
            return
        rows = open_sessions(engine, call.now - timedelta(seconds=SESSION_SECONDS))
    finally:
        engine.dispose()
    for row in rows:
        click.echo(f"{row.session_id}  began {row.began_at[:16]}Z  from {row.address}  key {row.key_id}  {row.person}")
    if not rows:
        click.echo("Nobody is signed in.")


@keys.command("sign-ins")
@click.option("--last", default=SHOWN_SIGN_INS, show_default=True, type=click.IntRange(1, 100_000), help="How many.")
@click.pass_obj
def sign_ins(call: CommandContext, last: int) -> None:
    """List the newest sign-ins to the console, good and bad."""
    from data.database.connection import open_database
    from serving.auth.sign_ins import newest_sign_ins

    engine = open_database(call.settings.database_address)
    rows = newest_sign_ins(engine, last)
    engine.dispose()
    for row in rows:
        outcome = row.outcome.replace("_", " ")
        click.echo(f"{row.tried_at[:19]}Z  {outcome:<9}  from {row.address}  key {row.key_id or 'of no form'}")
    if not rows:
        click.echo("Nobody has signed in yet.")
