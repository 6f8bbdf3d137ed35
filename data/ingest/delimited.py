"""CSV files as rows of text."""

import csv
from pathlib import Path

import ibis
import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from data.errors import UserError, join_names, plural
from data.ingest.raw_file import RawFile
from data.lake.duckdb_engine import literal_path


def open_delimited(backend: Backend, path: Path) -> RawFile:
    """The rows of a CSV file, every value as text. Raises UserError where its header cannot be read."""
    names, rejects = _header(path), ibis.util.gen_name("rejects")
    settings = {"auto_detect": False, "header": True, "delim": ",", "quote": '"', "escape": '"',
                "columns": dict.fromkeys(names, "VARCHAR")}  # fmt: skip
    scanned = backend.read_csv(
        literal_path(path), **settings,
        store_rejects=True, rejects_table=rejects, rejects_scan=f"{rejects}_scan", rejects_limit=0,
    )  # fmt: skip
    scanned.aggregate([scanned[name].count() for name in names]).to_pyarrow()  # collects the lines that are not CSV
    rows = backend.read_csv(literal_path(path), **settings, ignore_errors=True)
    return RawFile(rows.mutate(row_number=ibis.row_number() + 1), _rejected_lines(backend.table(rejects)))


def _rejected_lines(rejects: ir.Table) -> ir.Table:
    lines = rejects.group_by(line_number=rejects.line.cast("int64")).aggregate(
        line=rejects.csv_line.strip().max(), broken_rules=_line_rule(rejects.error_type).collect(distinct=True)
    )
    return lines.select("line_number", "line", "broken_rules")


def _line_rule(error_type: ir.StringValue) -> ir.StringValue:
    return ibis.literal("line is not CSV: ") + error_type.cast("string").lower()


def _header(path: Path) -> list[str]:
    try:
        # Rows that are not UTF-8 are for the quarantine; only the header must be.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            names = [name.strip() for name in next(csv.reader(text), [])]
        "".join(names).encode()
    except (UnicodeError, OSError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as CSV: {error}. Write it as UTF-8 text with a header.") from error
    if not any(names):
        raise UserError(f"{path} has no header. Its first line must name the columns, separated by commas.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{path} names the {plural(twice, 'column')} {join_names(twice)} twice. Rename or remove one.")
    return names
