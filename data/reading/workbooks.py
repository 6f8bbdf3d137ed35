"""Sheets of Excel and OpenDocument workbooks as rows of text."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

from ibis.backends.duckdb import Backend
from python_calamine import CalamineError, CalamineWorkbook

from data.errors import UserError, join_names
from data.lake.duckdb_engine import scratch_folder
from data.reading.dialect import PREAMBLE_LINES, ReadingOptions, column_names, header_row, known_names, nameless_columns
from data.reading.raw_file import RawFile, store_records

Cell = int | float | str | bool | time | date | datetime | timedelta
Sheet = Sequence[Sequence[str]]


def open_workbook(backend: Backend, path: Path, name: str, options: ReadingOptions) -> RawFile:
    """The rows below the header of the one sheet that is not empty, or that names columns of `options`.

    Raises UserError where the workbook cannot be read or it cannot be told which sheet is meant.
    """
    try:
        with CalamineWorkbook.from_path(path) as workbook:
            titles = workbook.sheet_names if options.sheet is None else _only(options.sheet, workbook.sheet_names, name)
            sheets = {title: _texts(workbook.get_sheet_by_name(title).to_python()) for title in titles}
    except (CalamineError, OSError) as error:
        raise UserError(f"{name} cannot be read as a workbook: {error}. Save it again.") from error
    title, rows = _one_sheet({title: rows for title, rows in sheets.items() if rows}, name, options)
    above = header_row(rows, options.columns) if options.skip_lines is None else options.skip_lines
    if above >= len(rows):
        raise UserError(f"{name} has no header below {above} rows. Mend skip_lines.")
    names = column_names(rows[above], name)
    raw = store_records(backend, names, rows[above + 1 :], scratch_folder(backend) / "rows.parquet")
    nameless = nameless_columns(names)
    short = Path(name).name
    notes = [f"{short}: sheet {title} read"] if len(sheets) > 1 else []
    guessed = above and options.skip_lines is None
    notes += [f"{short}: the first {above} rows stand above the header, not read"] if guessed else []
    return RawFile(raw.rows.drop(*nameless), raw.unreadable, tuple(notes), tuple(nameless.values()))


def _only(sheet: str, titles: Sequence[str], name: str) -> Sequence[str]:
    if sheet not in titles:
        raise UserError(f"{name} has no sheet {sheet!r}. It has {join_names(list(titles))}.")
    return (sheet,)


def _one_sheet(sheets: dict[str, Sheet], name: str, options: ReadingOptions) -> tuple[str, Sheet]:
    if not sheets:
        raise UserError(f"{name} has no cell with a value. Give a workbook with a header and a row per record.")
    known = {
        title: rows for title, rows in sheets.items()
        if any(known_names(row, options.columns) for row in rows[:PREAMBLE_LINES])
    }  # fmt: skip
    meant = known if len(known) == 1 else sheets
    if len(meant) > 1:
        raise UserError(
            f"{name} holds the sheets {join_names(list(meant))}. Keep the one that is meant in the file, or name it in "
            "sources.toml (sheet)."
        )
    return next(iter(meant.items()))


def _texts(cells: Sequence[Sequence[Cell]]) -> Sheet:
    """The cells as text, without blank rows."""
    rows = [[_text(cell) for cell in row] for row in cells]
    return [row for row in rows if any(row)]


def _text(cell: Cell) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime):
        return str(cell.date() if cell.time() == time() else cell.isoformat())
    return str(cell)
