"""The commands that bring tables in."""

from pathlib import Path

import click

from data.command_line import FOLDER, Call
from data.progress import TerminalProgress


@click.command()
@click.option("--out", type=FOLDER, required=True, help="Folder to write the tables to.")
@click.option("--skus", default=20_000, show_default=True, help="Catalogue rows (SKU and market).")
@click.option("--days", default=730, show_default=True, help="Days of history, up to 2026-06-30.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same marketplace.")
def sample_data(out: Path, skus: int, days: int, seed: int) -> None:
    """Write a synthetic marketplace: all contract tables, and the truth beside them."""
    from data.marketplace.sample import write_sample

    write_sample(out, skus=skus, days=days, seed=seed, progress=TerminalProgress())
    click.echo(f"Wrote a marketplace of {skus:,} SKUs to {out}. Next: touchstone ingest {out}")


@click.command()
@click.argument("name")
@click.argument("file", type=FOLDER)
@click.option("--out", type=FOLDER, required=True, help="Folder to write the contract tables to.")
def import_public(name: str, file: Path, out: Path) -> None:
    """Turn the public data set NAME (such as nyc-metals) in FILE into contract tables."""
    from data.importers import importer_named

    click.echo(str(importer_named(name)(file, out)))
    click.echo(f"Next: touchstone ingest {out}")


@click.command()
@click.argument("source", type=FOLDER)
@click.option("--strict", is_flag=True, help="Refuse the whole folder if any row is bad.")
@click.pass_obj
def ingest(call: Call, source: Path, strict: bool) -> None:
    """Validate the tables in SOURCE and make them the lake; bad rows go to quarantine with the rule they broke."""
    from data.ingest import ingest as ingest_folder

    counts = ingest_folder(
        source, call.settings.workspace, today=call.today, strict=strict, progress=TerminalProgress()
    )
    for count in counts:
        click.echo(str(count))
