"""The commands that make, retire and list the keys which sign public test summaries."""

from getpass import getuser

import click

from data.cli import CommandContext


@click.group()
def trust() -> None:
    """Public test summaries: the keys that sign them."""


@trust.group("key")
def key() -> None:
    """Make, retire and list the keys that sign copies of summaries.

    A private key lies in the workspace and never leaves it.
    """


@key.command("new")
@click.pass_obj
def new(call: CommandContext) -> None:
    """Make a key; copies are signed with it from now on.

    Retire the one before it when the new one is published.
    """
    from data.database.audit_log import AuditEvent, record_event
    from data.database.connection import open_database
    from serving.trust.keys import SigningKeys

    made = SigningKeys(call.settings.workspace).create(call.now)
    engine = open_database(call.settings.database_address)
    record_event(engine, AuditEvent(getuser(), "new_trust_key", made.kid, {"public": made.jwk}), call.now)
    engine.dispose()
    click.echo(made.kid)
    click.echo("It signs from now on; /.well-known/jwks.json publishes its public part.", err=True)


@key.command("retire")
@click.argument("kid")
@click.option(
    "--compromised", is_flag=True, help="Somebody else may have it: take it out of the published keys at once."
)
@click.pass_obj
def retire(call: CommandContext, kid: str, compromised: bool) -> None:
    """Delete the private part of the key KID.

    Its public part stays published until the last copies that it signed have expired.
    """
    from data.database.audit_log import AuditEvent, record_event
    from data.database.connection import open_database
    from serving.trust.keys import SigningKeys
    from serving.trust.policy import trust_policy_in_force

    retired = SigningKeys(call.settings.workspace).retire(kid, call.now, trust_policy_in_force(call.today), compromised)
    engine = open_database(call.settings.database_address)
    content = {"published_until": retired.published_until, "compromised": compromised}
    record_event(engine, AuditEvent(getuser(), "retire_trust_key", kid, content), call.now)
    engine.dispose()
    click.echo(f"The key {kid} signs no more; its public part is published until {retired.published_until}.")


@key.command("list")
@click.pass_obj
def list_keys(call: CommandContext) -> None:
    """List the keys, the newest first."""
    from serving.trust.keys import SigningKeys

    for each in SigningKeys(call.settings.workspace).all():
        state = f"retired {each.retired_at[:10]}" if each.retired_at else "signs"
        until = f", published until {each.published_until[:16]}" if each.published_until else ""
        click.echo(f"{each.kid}  made {each.created_at[:10]}, {state}{until}")
