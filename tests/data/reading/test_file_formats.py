"""Files in the forms that people have them in, each read as the plain one."""

import gzip
import json
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ibis.backends.duckdb import Backend

from data.contract import BY_NAME
from data.errors import UserError
from data.ingest.row_rules import parse_columns, trim_values
from data.ingest.sources import FileSource, OpenedSource, unused_files
from data.lake.duckdb_engine import connect

HEADER = ("sku_id", "market", "supplier_id", "category", "listed_on", "price_eur", "radio", "title")
ROWS = (
    ("K1", "EU", "S1", "toys", "2025-01-13", "9.50", "true", "Plüschbär"),
    ("K2", "EU", "S1", "toys", "2025-02-01", "1234.5", "false", "Größe 5, für Mädchen"),
)
VALUES = [("K1", date(2025, 1, 13), 9.5, True, "Plüschbär"), ("K2", date(2025, 2, 1), 1234.5, False, ROWS[1][-1])]
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    """One DuckDB for all files."""
    with tempfile.TemporaryDirectory() as folder:
        opened = connect(Path(folder) / "spill")
        yield opened
        opened.disconnect()


def read(backend: Backend, path: Path) -> tuple[OpenedSource, list[tuple[Any, ...]]]:
    """A file of SKUs, opened, and its values in the contract's types."""
    opened = FileSource(BY_NAME["skus"], path).open(backend)
    values = parse_columns(trim_values(opened.rows, BY_NAME["skus"]), BY_NAME["skus"], opened.forms)
    columns = ("sku_id", "listed_on", "price_eur", "radio", "title")
    rows = values.order_by("row_number").select(*columns).to_pyarrow().to_pylist()
    return opened, [tuple(row[column] for column in columns) for row in rows]


def csv_text(separator: str = ",", rows: tuple[tuple[str, ...], ...] = ROWS) -> str:
    lines = [HEADER, *rows]
    quoted = ([f'"{each}"' if separator in each else each for each in line] for line in lines)
    return "".join(separator.join(line) + "\n" for line in quoted)


def changed(text: str, **values: str) -> str:
    """The text with words replaced: `old_new`."""
    for old, new in values.items():
        text = text.replace(old, new)
    return text


GERMAN = csv_text(";").replace("9.50", "9,50").replace("1234.5", "1.234,5")


def write_workbook(path: Path, rows: tuple[tuple[str, ...], ...]) -> None:
    """Write the least that is an Excel file: one sheet of texts."""
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>" for row in rows
    )
    link = '<Relationships xmlns="{0}"><Relationship Id="rId1" Type="{1}/{2}" Target="{3}"/></Relationships>'
    sheet = '<sheets><sheet name="SKUs" sheetId="1" r:id="rId1"/></sheets>'
    parts = {
        "_rels/.rels": link.format(PACKAGE, REL, "officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{REL}">{sheet}</workbook>',
        "xl/_rels/workbook.xml.rels": link.format(PACKAGE, REL, "worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{cells}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


FORMS = {
    "semicolons and decimal commas": ("csv", GERMAN.encode(), ["separated by semicolons", "decimal commas"]),
    "tabs": ("tsv", csv_text("\t").encode(), ["separated by tabs"]),
    "bars": ("txt", csv_text("|").encode(), ["separated by vertical bars"]),
    "byte order mark": ("csv", csv_text().encode("utf-8-sig"), []),
    "UTF-16": ("csv", csv_text().encode("utf-16"), ["read as UTF-16"]),
    "Windows-1252": ("csv", csv_text().encode("cp1252"), ["read as Windows-1252"]),
    "Windows line ends": ("csv", csv_text().replace("\n", "\r\n").encode(), []),
    "old Macintosh line ends": ("csv", csv_text().replace("\n", "\r").encode(), []),
    "a preamble": ("csv", b"Report of 2025\n\n" + csv_text().encode(), ["the first 1 line stands above the header"]),
    "an index": ("csv", "".join(f"{n or ''},{line}\n" for n, line in enumerate(csv_text().splitlines())).encode(), []),
    "commas at the end": ("csv", csv_text().replace("\n", ",,\n").encode(), []),
    "day first": ("csv", changed(csv_text(), **{"2025-01-13": "13/01/2025", "2025-02-01": "01/02/2025"}).encode(),
                  ["read as day, month, year (%d/%m/%Y), as in 13/01/2025"]),
    "month first": ("csv", changed(csv_text(), **{"2025-01-13": "1/13/2025 9:05 PM", "2025-02-01": "2/1/2025"})
                    .encode(),
                    ["read as month, day, year"]),
    "points in days": ("csv", changed(csv_text(), **{"2025-01-13": "13.01.2025", "2025-02-01": "1.2.2025"}).encode(),
                       ["day, month, year"]),
    "thousands": ("csv", changed(csv_text(), **{"1234.5": '"1,234.5"'}).encode(), ["commas between thousands"]),
    "yes and no": ("csv", changed(csv_text(), true="Yes", false="n").encode(), []),
    "gzip": ("csv.gz", gzip.compress(csv_text().encode()), []),
    "JSON lines": ("jsonl", "\n".join(json.dumps(dict(zip(HEADER, row, strict=True))) for row in ROWS).encode(), []),
    "a JSON list": ("json", json.dumps([dict(zip(HEADER, row, strict=True)) for row in ROWS]).encode(), []),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_file_in_another_form_is_the_plain_one_and_what_was_guessed_is_said(
    backend: Backend, tmp_path: Path, form: str
) -> None:
    suffix, content, said = FORMS[form]
    path = tmp_path / f"skus.{suffix}"
    path.write_bytes(content)
    opened, values = read(backend, path)
    assert values == VALUES
    assert len(opened.notes) == len(said) or form == "semicolons and decimal commas"
    assert all(any(word in note for note in opened.notes) for word in said)
    assert opened.unreadable.count().to_pyarrow().as_py() == 0


def test_columns_without_a_name_are_left_out_and_named(backend: Backend, tmp_path: Path) -> None:
    path = tmp_path / "skus.csv"
    path.write_bytes(FORMS["commas at the end"][1])
    assert read(backend, path)[0].ignored == ("column 9 (it has no name)", "column 10 (it has no name)")


def test_a_zip_with_one_file_and_a_workbook_are_read(backend: Backend, tmp_path: Path) -> None:
    packed, book = tmp_path / "skus.zip", tmp_path / "skus.xlsx"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("export/skus.csv", csv_text())
    assert read(backend, packed)[1] == VALUES
    write_workbook(book, (HEADER, *ROWS))
    assert read(backend, book)[1] == VALUES


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (csv_text().replace("2025-01-13", "01/02/2025").replace("2025-02-01", "03/04/2025"),
         r'no value tells day and month apart.*format = "%d/%m/%Y" or format = "%m/%d/%Y"'),
        (csv_text().replace("2025-01-13", "13/02/2025").replace("2025-02-01", "02/13/2025"), "tells day and month"),
        (csv_text().replace("title", "Market"), "names the columns Market and market twice"),
    ],
)  # fmt: skip
def test_what_can_mean_two_things_is_refused_with_the_choices(
    backend: Backend, tmp_path: Path, content: str, sentence: str
) -> None:
    path = tmp_path / "skus.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        read(backend, path)


def test_a_comma_that_nothing_explains_makes_no_number(backend: Backend, tmp_path: Path) -> None:
    """`1,234` alone is a thousand here and one there."""
    path = tmp_path / "skus.csv"
    path.write_text(csv_text(";").replace("9.50", "1,234").replace("1234.5", "2,345"), encoding="utf-8")
    opened, values = read(backend, path)
    assert [value[2] for value in values] == [None, None]
    assert any("do not tell what a comma in a number is" in note for note in opened.notes)


def test_files_that_are_no_table_are_named_with_what_they_may_be(tmp_path: Path) -> None:
    for name in ("skus.csv", "review.csv", "Returns.csv", "skus_2025.csv", "notes.md"):
        (tmp_path / name).write_text("x\n", encoding="utf-8")
    assert unused_files(tmp_path) == (
        "Returns.csv (did you mean returns.csv?)", "review.csv (did you mean reviews.csv?)",
        "skus_2025.csv (is it a part of skus?)",
    )  # fmt: skip
