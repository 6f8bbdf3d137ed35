"""Commands of this room: sample-data, import, ingest, ledger."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from data.contract import TABLES
from data.errors import UserError
from data.progress import TerminalProgress
from data.settings import Settings
from data.workspace import require_local_path

DAY = click.DateTime(["%Y-%m-%d"])


class LocalPath(click.Path):
    """A path of this machine; an address of other storage is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Raises UserError where an address is given."""
        require_local_path(str(value))
        return super().convert(value, param, ctx)


FOLDER = LocalPath(path_type=Path)
TABLE_NAMES = click.Choice([table.name for table in TABLES])
ALLOW_SHRINK = "Let this table lose more rows than policy/ingest allows. May be repeated."


@dataclass(frozen=True)
class CommandContext:
    """One call of the command line: the operator's settings, and the moment by the front door's clock (UTC)."""

    settings: Settings
    now: datetime

    @property
    def today(self) -> date:
        """The day of the call."""
        return self.now.date()


@click.command()
@click.option("--out", type=FOLDER, required=True, help="Folder to write the tables to.")
@click.option("--skus", default=20_000, show_default=True, help="Catalogue rows (SKU and market).")
@click.option("--days", default=730, show_default=True, help="Days of history, up to 2026-06-30.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same marketplace.")
def sample_data(out: Path, skus: int, days: int, seed: int) -> None:
    """Write a synthetic marketplace and its ground truth.

    All tables of the input contract, and what a laboratory would find beside them.
    """
    from data.synthetic.generator import write_sample

    write_sample(out, skus=skus, days=days, seed=seed, progress=TerminalProgress())
    click.echo(f"Wrote a marketplace of {skus:,} SKUs to {out}. Next: touchstone ingest {out}")


@click.command()
@click.argument("name")
@click.argument("file", type=FOLDER)
@click.option("--out", type=FOLDER, required=True, help="Folder to write the contract tables to.")
def import_public(name: str, file: Path, out: Path) -> None:
    """Turn a public data set into contract tables.

    NAME is that of the data set (such as nyc-metals), FILE is what its publisher offers.
    """
    from data.importers import get_importer

    counts = get_importer(name)(file, out)
    click.echo(str(counts))
    # A register's report holds what is new; the alerts before it stay.
    added = "--update " if "alerts" in counts.written else ""
    click.echo(f"Next: touchstone ingest {added}{out}")


@click.command()
@click.argument("source", type=FOLDER, required=False)
@click.option("--sources", "sources_file", type=FOLDER, help="The sources.toml (default: that of the workspace).")
@click.option("--strict", is_flag=True, help="Refuse the whole folder if any row is bad.")
@click.option(
    "--update", is_flag=True,
    help="The files hold changes by key: rows replace those with their key; `deleted` true removes one.",
)  # fmt: skip
@click.option("--allow-shrink", metavar="TABLE", multiple=True, type=TABLE_NAMES, help=ALLOW_SHRINK)
@click.pass_obj
def ingest(
    call: CommandContext, source: Path | None, strict: bool, update: bool, allow_shrink: tuple[str, ...],
    sources_file: Path | None,
) -> None:  # fmt: skip
    """Bring the lake up to date with the tables in SOURCE, else with those that sources.toml maps.

    A file is a whole table, a folder of days (orders/happened_on=2026-07-01/) those days; what is not given stays.
    Invalid rows go to quarantine, each with the rule that it breaks. The exit code is 3 where a table would lose more
    rows than policy/ingest allows.
    """
    from data.ingest.pipeline import IngestOptions, ingest_folder
    from data.ingest.sources import unused_files
    from data.own_features import contract_of, read_own_features, write_suggestions
    from data.sources.configuration import read_sources, sources_path
    from data.sources.pipeline import ingest_sources

    workspace, progress = call.settings.workspace, TerminalProgress()
    options = IngestOptions(call.today, strict, update, frozenset(allow_shrink))
    if source is not None and sources_file is not None:
        raise click.UsageError("Give a folder or --sources, not both.")
    if source is None and update:
        raise click.UsageError("--update belongs to a folder; sources.toml says which tables are incremental.")
    if source is None:
        contract = contract_of(read_own_features(workspace, call.today))
        file = read_sources(sources_file or sources_path(workspace), contract)
        report = ingest_sources(file, workspace, options, progress)
    else:
        report = ingest_folder(source, workspace, options, progress)
    click.echo(str(report))
    if source is not None and (unused := unused_files(source)):
        click.echo(f"No table of the contract, left out: {', '.join(unused)}")
    if report.declarable:
        click.echo(f"Columns left out may be features: see {write_suggestions(workspace, report.declarable)}")


@click.group()
def ledger() -> None:
    """Show and verify the record of every decision."""


@ledger.command("show")
@click.option("--subject", help="Only rows about this SKU, model or round.")
@click.pass_obj
def show_ledger(call: CommandContext, subject: str | None) -> None:
    """Print the rows, oldest first."""
    from data.database.audit_log import audit_rows
    from data.database.connection import open_database

    for row in audit_rows(open_database(call.settings.database_address), subject):
        click.echo(f"{row.number:>6}  {row.recorded_at[:19]}Z  {row.actor}  {row.action}  {row.subject}  {row.content}")


@ledger.command("verify")
@click.option("--head", metavar="NUMBER:HASH", help="A row noted earlier: also show that the end was not cut off.")
@click.pass_obj
def verify_ledger(call: CommandContext, head: str | None) -> None:
    """Check that no row was changed, removed or inserted."""
    from data.database.audit_log import verify_chain
    from data.database.connection import open_database

    number, _, digest = (head or "0:").partition(":")
    if not number.isdecimal():
        raise UserError(f"--head {head!r} names no row. Give NUMBER:HASH as an earlier verify printed it.")
    newest = verify_chain(open_database(call.settings.database_address), (int(number), digest) if head else None)
    if newest is None:
        click.echo("The ledger is empty.")
    else:
        click.echo(
            f"All {newest.number:,} rows are complete and unchanged. "
            f"Note the head elsewhere: {newest.number}:{newest.hash}"
        )
