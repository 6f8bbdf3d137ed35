"""The command `touchstone evidence`."""

from getpass import getuser
from pathlib import Path

import click

from data.cli import FOLDER, CommandContext


@click.command()
@click.argument("quarter")
@click.option("--out", required=True, type=FOLDER, help="The new folder to write.")
@click.pass_obj
def evidence(call: CommandContext, quarter: str, out: Path) -> None:
    """Write the evidence on product-safety risk of QUARTER, such as 2026Q3, for regulators.

    A report (Markdown, HTML) and the CSV files that every number follows from, with checksums.
    """
    from data.database.connection import open_database
    from serving.evidence.pack import EvidenceRequest, write_evidence
    from serving.evidence.report import estimate_words
    from serving.trends.edition import Quarter

    engine = open_database(call.settings.database_address)
    try:
        request = EvidenceRequest(Quarter.parse(quarter), out, getuser(), call.now)
        pack = write_evidence(engine, call.settings.workspace, request)
    finally:
        engine.dispose()
    for each in pack.content.estimates:
        if each.domain.category is None:
            click.echo(f"Of all {each.measure}, {estimate_words(each)} would fail.")
    click.echo(f"The evidence of {quarter} is in {pack.folder}; the ledger has the checksum {pack.digest[:12]}.")
