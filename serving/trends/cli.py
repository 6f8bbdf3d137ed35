"""The commands `touchstone trends draft`, `publish` and `list`."""

from typing import TYPE_CHECKING

import click

from data.cli import CommandContext

if TYPE_CHECKING:
    from typing import TextIO

    from serving.trends.edition import Edition

KEY_FILE = click.option(
    "--key-file", type=click.File(), help="A file with your key, - for the standard input (default: it is asked for)."
)


@click.group()
def trends() -> None:
    """Draft and publish quarterly editions of trends.

    One person drafts, another publishes; each gives their own key.
    """


@trends.command("draft")
@click.argument("quarter")
@click.option("--correction", default="", help="Why a published edition is corrected; it stays beside the new one.")
@KEY_FILE
@click.pass_obj
def draft(call: CommandContext, quarter: str, correction: str, key_file: "TextIO | None") -> None:
    """Write the draft of QUARTER, such as 2026Q3, for another person to read and publish."""
    from data.database.connection import open_database
    from serving.trends.edition import Quarter
    from serving.trends.publish import draft_edition, draft_folder, publisher_of

    wanted, workspace = Quarter.parse(quarter), call.settings.workspace
    engine = open_database(call.settings.database_address)
    try:
        publisher = publisher_of(engine, _key_of(key_file), call.now)
        edition = draft_edition(engine, workspace, wanted, publisher, correction)
    finally:
        engine.dispose()
    click.echo(_summary(edition))
    click.echo(f"The draft is in {draft_folder(workspace, wanted)}; read its index.html.")
    click.echo(f"Next: another person runs touchstone trends publish {wanted}")


@trends.command("publish")
@click.argument("quarter")
@KEY_FILE
@click.pass_obj
def publish(call: CommandContext, quarter: str, key_file: "TextIO | None") -> None:
    """Publish the draft of QUARTER that another person wrote, exactly as it is. It never changes again."""
    from data.database.connection import open_database
    from serving.trends.edition import Quarter, public_reports
    from serving.trends.publish import publish_edition, publisher_of

    workspace = call.settings.workspace
    engine = open_database(call.settings.database_address)
    try:
        publisher = publisher_of(engine, _key_of(key_file), call.now)
        edition = publish_edition(engine, workspace, Quarter.parse(quarter), publisher)
    finally:
        engine.dispose()
    click.echo(_summary(edition))
    click.echo(f"It is published in {public_reports(workspace) / edition.facts.name} and under /trends.")


@trends.command("list")
@click.pass_obj
def show(call: CommandContext) -> None:
    """List the published editions, each checked against its checksums."""
    from serving.trends.edition import edition_names, read_edition

    names = edition_names(call.settings.workspace)
    for name in names:
        click.echo(_summary(read_edition(call.settings.workspace, name)))
    if not names:
        click.echo("No edition has been published yet.")


def _key_of(key_file: "TextIO | None") -> str:
    """The caller's key; never an option of the command line, where others of the machine would read it."""
    return key_file.read() if key_file is not None else str(click.prompt("Your key", hide_input=True))


def _summary(edition: "Edition") -> str:
    published = sum(row.published for row in edition.rows)
    why = f" Correction: {edition.facts.correction}" if edition.facts.correction else ""
    return (
        f"Edition {edition.facts.name}: {published} of {len(edition.rows)} rows are published, the others rest on too "
        f"few tests or would let somebody be recognised.{why}"
    )
