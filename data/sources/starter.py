"""A first `sources.toml`, written by looking at the tables of a database or the files of a folder."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import ibis.expr.types as ir
from ibis.backends import BaseBackend

from data.contract import TABLES
from data.contract_schema import Column, Table
from data.errors import UserError
from data.lake.duckdb_engine import connect
from data.reading.file_formats import SUFFIXES, open_file
from data.sources.databases import connect_database, hide_password, split_address, translate_database_errors
from data.sources.guesses import ColumnGuess, OfferedTable, guess_column, guess_columns, guess_table

SAMPLE_ROWS = 500
VARIABLE = "SOURCE_PASSWORD"
SYSTEM_SCHEMAS = frozenset({"information_schema", "pg_catalog", "pg_toast"})
Ask = Callable[[str, Sequence[str]], str | None]
"""Asks a person a question with the possible answers; None where there is nobody, or they do not know."""


def offered_tables(origin: str, spill: Path) -> list[OfferedTable]:
    """The tables of the database at an address, or the files of a folder, with their first rows.

    Raises UserError where it cannot be reached or holds no table.
    """
    if "://" in origin:
        address = split_address(origin)[0]
        with connect_database(address, Path.cwd()) as database, translate_database_errors(hide_password(address)):
            offered = [_offered(name, name.rpartition(".")[2], rows) for name, rows in _relations(database)]
    else:
        backend, folder = connect(spill), Path(origin)
        endings = tuple(f".{suffix}" for suffix in SUFFIXES)
        try:
            paths = (
                sorted(each for each in folder.iterdir() if each.name.lower().endswith(endings))
                if folder.is_dir()
                else []
            )
            offered = [
                _offered(path.name, path.name.partition(".")[0], open_file(backend, path).rows.drop("row_number"))
                for path in paths
            ]
        finally:
            backend.disconnect()
    if not offered:
        raise UserError(f"{origin} holds no table. Give the address of a database, or a folder of files.")
    return offered


def write_starter(origin: str, offered: Sequence[OfferedTable], ask: Ask) -> str:
    """The text of a `sources.toml` that reads `offered`; a line with `?` is for a person to complete."""
    lines = ["# Written by `touchstone sources init`. Lines with ? need an answer; then: touchstone sources check.", ""]
    if "://" in origin:
        lines += ["[connections]", f"source = {_text(_without_password(origin))}", ""]
    for table in TABLES:
        chosen = guess_table(table, offered)
        if chosen is None and table.required:
            answer = ask(f"Which holds {table.name} ({table.meaning})?", [each.name for each in offered])
            chosen = next((each for each in offered if each.name == answer), None)
        if chosen is not None:
            lines += [*_table_lines(table, chosen, origin, ask), ""]
        elif table.required:
            names = ", ".join(each.name for each in offered)
            lines += [f"# ? [{table.name}] (required): {table.meaning} Of: {names}", ""]
    return "\n".join(lines)


def _table_lines(table: Table, chosen: OfferedTable, origin: str, ask: Ask) -> Iterator[str]:
    yield f"[{table.name}]"
    if "://" in origin:
        yield from ('from = "source"', f"table = {_text(chosen.name)}")
    else:
        yield f"from = {_text(str(Path(origin).resolve() / chosen.name))}"
    guesses, used = guess_columns(table, chosen), set[str]()
    for column in table.columns:
        guess = guesses.get(column.name)
        if guess is None and column.required:
            question = f"{table.name}.{column.name} ({column.meaning}): which column, or = and a constant?"
            answer = ask(question, list(chosen.values)) or ""
            if answer.startswith("="):
                yield f"{column.name} = {{ const = {_text(answer[1:].strip())} }}"
                continue
            guess = guess_column(column, answer, chosen.values[answer]) if answer in chosen.values else None
        if guess is not None:
            used.add(guess.column)
            yield _column_line(column, _complete(column, guess, ask))
        elif column.required:
            yield f'# ? {column.name} (required): {column.meaning}. A column, or {{ const = "..." }}'
    if unused := [name for name in chosen.values if name not in used]:
        yield f"# Not used yet: {', '.join(unused)}"


def _complete(column: Column, guess: ColumnGuess, ask: Ask) -> ColumnGuess:
    """The guess, completed by what a person answers."""
    if guess.is_certain:
        return guess
    formats, values = guess.formats, dict(guess.map)
    if len(formats) > 1:
        answer = ask(f"{guess.column} holds {', '.join(guess.examples)}: which form?", formats)
        formats = [answer] if answer and answer in formats else formats
    for value in [value for value, choice in values.items() if choice is None]:
        answer = ask(f"{guess.column} holds {value!r}: which {column.name} is it?", column.choices)
        values[value] = answer if answer in column.choices else None
    return ColumnGuess(guess.column, guess.examples, values, formats)


def _column_line(column: Column, guess: ColumnGuess) -> str:
    name, examples = _text(guess.column), f"  # {', '.join(guess.examples)}" if guess.examples else ""
    if len(guess.formats) > 1:
        forms = " or ".join(map(_text, guess.formats))
        return f"{column.name} = {name}  # ? {', '.join(guess.examples)}: {{ column = {name}, format = {forms} }}"
    if guess.formats:
        return f"{column.name} = {{ column = {name}, format = {_text(guess.formats[0])} }}{examples}"
    if guess.map:
        pairs = ", ".join(f"{_text(value)} = {_text(choice)}" for value, choice in guess.map.items() if choice)
        unknown = [value for value, choice in guess.map.items() if choice is None]
        question = f"  # ? which of {', '.join(column.choices)} is {', '.join(unknown)}" if unknown else ""
        return f"{column.name} = {{ column = {name}, map = {{ {pairs} }} }}{question}"
    return f"{column.name} = {name}{examples}"


def _relations(database: BaseBackend) -> Iterator[tuple[str, ir.Table]]:
    current = database.current_database
    yield from ((name, database.table(name)) for name in sorted(database.list_tables()))
    for schema in sorted(set(database.list_databases()) - SYSTEM_SCHEMAS - {current}):
        for name in sorted(database.list_tables(database=schema)):
            yield f"{schema}.{name}", database.table(name, database=schema)


def _offered(name: str, title: str, rows: ir.Table) -> OfferedTable:
    read = rows.limit(SAMPLE_ROWS).to_pyarrow().to_pydict()
    values: Mapping[str, list[str]] = {
        column: [" ".join(str(each).split()) for each in held if each is not None and str(each).strip()]
        for column, held in read.items()
    }
    return OfferedTable(name, title, values)


def _without_password(address: str) -> str:
    """The address with a variable of the environment in the place of its password."""
    parts = urlsplit(address)
    if parts.password is None or parts.password.startswith("${"):
        return address
    user = parts.netloc.rpartition("@")[0].partition(":")[0]
    return address.replace(f"//{user}:{parts.password}@", f"//{user}:${{{VARIABLE}}}@", 1)


def _text(value: str) -> str:
    """A TOML text."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
