"""Command `signals`: hazards in any file of texts."""

from pathlib import Path

import click

from data.cli import FOLDER
from data.progress import TerminalProgress


@click.command()
@click.option(
    "--input",
    "source",
    type=FOLDER,
    required=True,
    help="A file with a row per text: CSV, Excel, JSON lines, Parquet.",
)
@click.option("--text", "column", required=True, metavar="COLUMN", help="The column that holds the texts.")
@click.option("--language", help="Of all texts, such as en (default: detected in each text).")
@click.option("--out", type=FOLDER, required=True, help="Parquet file to write, one row per mention.")
def signals(source: Path, column: str, language: str | None, out: Path) -> None:
    """Find the hazards that reviews report.

    Each comes with the sentence that reports it, so that a person can check it. Keep the mentions whose column
    `counts` is true: `probability` is that of an ordinary review, of which few report a hazard, so a mention counts
    from 0.14 on, not from 0.5.
    """
    from features.review_text.file_report import signals as read_signals

    for line in read_signals(source, column, out, language=language, progress=TerminalProgress()).lines():
        click.echo(line)
