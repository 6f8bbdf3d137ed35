"""`touchstone sources`: write a first `sources.toml`, and check what it makes of the first rows."""

import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from data.cli import FOLDER, CommandContext
from data.errors import UserError, join_names

if TYPE_CHECKING:
    from data.sources.check import CheckedTable
    from data.sources.configuration import SourcesFile

MAX_SHOWN = 200
SHOWN_VALUE = 28


@click.group()
def sources() -> None:
    """Map other people's tables to the contract's."""


@sources.command("init")
@click.argument("origin")
@click.option("--out", type=FOLDER, help="The file to write (default: sources.toml in the workspace).")
@click.pass_obj
def init(call: CommandContext, origin: str, out: Path | None) -> None:
    """Write a first sources.toml by looking at ORIGIN.

    ORIGIN is the address of a database (postgresql://, duckdb:///, sqlite:///) or a folder of files.
    """
    from data.sources.configuration import expand_address, sources_path
    from data.sources.starter import offered_tables, write_starter

    path = out or sources_path(call.settings.workspace)
    if path.exists():
        raise UserError(f"{path} is there already. Remove it, or name another with --out.")
    offered = offered_tables(expand_address(origin), call.settings.workspace.spill)
    text = write_starter(origin, offered, _ask if sys.stdin.isatty() else lambda _question, _choices: None)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    questions = sum("# ?" in line for line in text.splitlines())
    ask = f"{questions} {'line needs' if questions == 1 else 'lines need'} an answer (marked ?)"
    click.echo(f"Wrote {path}. {ask if questions else 'Nothing is left to ask'}.")
    click.echo(f"Next: touchstone sources check{f' --sources {out}' if out else ''}")


@sources.command("check")
@click.option("--sources", "path", type=FOLDER, help="The file (default: sources.toml in the workspace).")
@click.pass_obj
def check(call: CommandContext, path: Path | None) -> None:
    """Show the first rows of every table as the contract sees them.

    And what is missing, what breaks a rule, and which categories no policy knows.
    """
    from data.lake.duckdb_engine import connect
    from data.own_features import contract_of, read_own_features
    from data.sources.check import check_sources
    from data.sources.configuration import read_sources, sources_path

    workspace = call.settings.workspace
    contract = contract_of(read_own_features(workspace, call.today))
    file = read_sources(path or sources_path(workspace), contract)
    with TemporaryDirectory() as staging:
        backend = connect(Path(staging) / "spill")
        checked = list(check_sources(backend, file, Path(staging), call.today))
        backend.disconnect()
    for each in checked:
        click.echo(table_summary(each))
    click.echo(_file_summary(file, checked, call.today))
    refused = [each.table.name for each in checked if each.refused]
    if refused:
        raise UserError(f"{', '.join(refused)} cannot be read as {file.path} says. Mend the entries above.")


def table_summary(checked: "CheckedTable") -> str:
    """What became of the first rows of one table, as text."""
    if checked.refused:
        return f"{checked.name}\n  refused: {checked.refused}\n"
    lines = [f"{checked.name}: the first {checked.checked:,} {'row' if checked.checked == 1 else 'rows'}"]
    lines += _grid(checked.rows, [name for name in checked.table.column_names if name not in checked.missing])
    lines += [f"  {rows:,} {'row breaks' if rows == 1 else 'rows break'}: {rule}" for rule, rows in checked.broken]
    lines += [f"  {note}" for note in checked.notes]
    lines += [f"  not given: {', '.join(checked.missing)}"] if checked.missing else []
    lines += [f"  not used: {', '.join(checked.ignored)}"] if checked.ignored else []
    return "\n".join(lines) + "\n"


def _file_summary(file: "SourcesFile", checked: Sequence["CheckedTable"], today: date) -> str:
    """What concerns all tables: those that are not mapped, and the categories that no policy knows."""
    from data.sources.check import absent_tables
    from sampling.problem import Cell
    from serving.uncovered_categories import policy_gaps

    absent = absent_tables(file)
    required = [table.name for table in absent if table.required]
    lines = [f"Not mapped: {', '.join(table.name for table in absent)}."] if absent else []
    if required:
        lines.append(f"The first ingest needs {join_names(required)}: add an entry of each name.")
    cells = [Cell(category, market) for each in checked for category, market in sorted(each.cells)]
    lines.append(policy_gaps(cells, today))
    return "\n".join(line for line in lines if line)


def _grid(rows: Sequence[dict[str, object]], names: Sequence[str]) -> list[str]:
    """The rows as columns of a record each, a line per column of the contract."""
    width = max((len(name) for name in names), default=0)
    return [
        "  " + "  ".join([name.ljust(width), *(_value(row[name]).ljust(SHOWN_VALUE) for row in rows)]).rstrip()
        for name in names
    ]


def _value(value: object) -> str:
    from data.visible_text import show_invisible

    text = "-" if value is None else str(show_invisible(str(value)))
    return text if len(text) <= SHOWN_VALUE else text[: SHOWN_VALUE - 3] + "..."


def _ask(question: str, choices: Sequence[str]) -> str | None:
    """Ask a person on the terminal; an empty answer leaves the question open."""
    click.echo(question)
    if choices:
        click.echo(f"  {', '.join(choices)}")
    return click.prompt("  (empty: later)", default="", show_default=False).strip() or None
