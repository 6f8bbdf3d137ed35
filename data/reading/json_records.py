"""Files of JSON objects as rows of text: one object per line, or one list of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ibis.backends.duckdb import Backend

from data.errors import UserError
from data.lake.duckdb_engine import scratch_folder
from data.reading.csv_records import LostLine
from data.reading.dialect import column_names
from data.reading.encodings import as_utf8
from data.reading.raw_file import RawFile, store_records
from data.text_values import json_text

NOT_AN_OBJECT = "line is not a JSON object"


def open_json(backend: Backend, path: Path, name: str) -> RawFile:
    """The objects of a file that messages call `name`, in the columns that any of them has.

    Raises UserError where it holds no object.
    """
    scratch = scratch_folder(backend)
    text = as_utf8(path, scratch)
    names: dict[str, None] = {}
    for record in _records(text.path):
        if not isinstance(record, LostLine):
            names.update(dict.fromkeys(record))
    if not names:
        raise UserError(f"{name} holds no JSON object. Write one object per line.")
    rows = (
        record if isinstance(record, LostLine) else [json_text(record.get(key)) for key in names]
        for record in _records(text.path)
    )
    raw = store_records(backend, column_names(list(names), name), rows, scratch / "rows.parquet")
    notes = (f"{Path(name).name}: read as {text.encoding}",) if text.encoding else ()
    return RawFile(raw.rows, raw.unreadable, notes)


def _records(path: Path) -> Iterator[dict[str, Any] | LostLine]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as text:
        if path.suffix != ".jsonl" and text.read(1 << 16).lstrip().startswith("["):
            text.seek(0)
            yield from _listed(text.read())
            return
        text.seek(0)
        for number, line in enumerate(text, start=1):
            if line.strip():
                yield _object(line, number)


def _listed(text: str) -> Iterator[dict[str, Any] | LostLine]:
    try:
        records = json.loads(text)
    except (ValueError, RecursionError):
        records = [None]
    for number, record in enumerate(records, start=1):
        sound = isinstance(record, dict) and record
        yield record if sound else LostLine(number, _printable(str(record)), NOT_AN_OBJECT)


def _object(line: str, number: int) -> dict[str, Any] | LostLine:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if isinstance(record, dict) and record and not any("\udc80" <= letter <= "\udcff" for letter in line):
        return record
    return LostLine(number, _printable(line.strip()), NOT_AN_OBJECT)


def _printable(text: str) -> str:
    """Text that can be stored as UTF-8; half of a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
