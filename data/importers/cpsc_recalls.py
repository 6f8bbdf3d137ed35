"""Recalls of the US Consumer Product Safety Commission, as the contract's `alerts`.

Source: the Recall Retrieval service of SaferProducts.gov (JSON) and the table that cpsc.gov offers for a search of
recalls or of product safety warnings. A recall is American, its goods are sold anywhere: it names no market.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from data.errors import UserError
from data.importers.contract_files import Record, write_alerts
from data.importers.identifiers import gtins_in, models_in
from data.importers.product_names import is_stated
from data.importers.report import ImportCounts
from data.importers.table_rows import read_table_rows

REGISTER = "US CPSC"
DAY_FORMS = ("%Y-%m-%d", "%B %d, %Y", "%m/%d/%Y")
NUMBERS = ("Recall Number", "Product Safety Warning Number")
DAYS = ("Date", "Recall Date", "Product Safety Warning Date")
HEADINGS = ("Recall Heading", "Product Safety Warning Heading")
FIRMS = ("Importers", "Manufacturers", "Distributors")
TABLE_COLUMNS = (
    *NUMBERS, *DAYS, *HEADINGS, *FIRMS, "Name of product", "Description", "Hazard Description", "Remedy Type",
    "Manufactured In", "URL",
)  # fmt: skip
_FIRM_OF_HEADING = re.compile(r"^(.{1,80}?)\s+(?:re)?recall(?:s|ed|ing)?\b", re.IGNORECASE)
_SEAT = re.compile(r",\s+(?:of|an?)\s.*$")
ADVICE = "Give the JSON of the Recall Retrieval service (.json), or the CSV of a search of recalls on cpsc.gov."


def import_cpsc_recalls(source: Path, out: Path) -> ImportCounts:
    """Write `alerts` as Parquet into the folder `out`; say what was read and written.

    One row per product of a recall, known on the day of the recall. Raises UserError where `source` is missing, is
    neither of the two forms or holds no recall that can be read, or where `out` is a file.
    """
    is_json = source.suffix.lower() == ".json"
    return write_alerts(_read_json(source) if is_json else _read_table(source), source, out)


def _read_json(source: Path) -> Iterator[Record | str]:
    if not source.is_file():
        raise UserError(f"There is no file {source}. {ADVICE}")
    try:
        recalls = json.loads(source.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise UserError(f"{source} is not JSON in UTF-8: {error}. {ADVICE}") from error
    recalls = recalls if isinstance(recalls, list) else [recalls]
    if not all(isinstance(recall, dict) and "RecallID" in recall for recall in recalls):
        raise UserError(f"{source} is no list of recalls with a RecallID. {ADVICE}")
    return chain.from_iterable(_recall_records(recall) for recall in recalls)


def _recall_records(recall: Mapping[str, Any]) -> Iterator[Record | str]:
    """A record for each product of a recall; the numbers after the first one carry the product's place."""
    number, heading, day = _stated(recall.get("RecallNumber")), _stated(recall.get("Title")), recall.get("RecallDate")
    description = str(recall.get("Description") or "")
    fields = {
        "brand": _firm(heading, *(name for role in FIRMS for name in _names(recall, role, "Name"))),
        "gtin": gtins_in("; ".join(_names(recall, "ProductUPCs", "UPC"))),
        "hazard": _joined(_names(recall, "Hazards", "Name")),
        "measure": _joined(_names(recall, "RemedyOptions", "Option")),
        "country_of_origin": _joined(_names(recall, "ManufacturerCountries", "Country")),
        "url": _stated(recall.get("URL")),
    }  # fmt: skip
    products = _entries(recall, "Products") or [{}]
    for place, product in enumerate(products, start=1):
        name, model = _stated(product.get("Name")), _stated(product.get("Model"))
        if model is None and len(products) == 1:
            model = models_in(description)
        own = {"title": name or heading, "model": model, "category": _stated(product.get("Type"))}
        alert_number = f"{number or recall['RecallID']}{f'-{place}' if place > 1 else ''}"
        yield _alert_record(alert_number, str(day or ""), own | fields)


def _read_table(source: Path) -> Iterator[Record | str]:
    table = read_table_rows(source, TABLE_COLUMNS)
    lacking = [names[0] for names in (NUMBERS, DAYS, HEADINGS) if not set(names) & set(table.columns)]
    if lacking:
        raise UserError(f"{source} lacks the columns {', '.join(lacking)}. {ADVICE}")
    return chain(map(_table_record, table.rows), repeat("that are no row of a table", table.lost))


def _table_record(row: Mapping[str, Any]) -> Record | str:
    number, day, heading = (_first(row, names) for names in (NUMBERS, DAYS, HEADINGS))
    fields = {
        "brand": _firm(heading, *(str(row.get(role) or "") for role in FIRMS)),
        "title": _stated(row.get("Name of product")) or heading, "model": models_in(str(row.get("Description") or "")),
        "gtin": None, "category": None, "hazard": _stated(row.get("Hazard Description")),
        "measure": _stated(row.get("Remedy Type")), "country_of_origin": _stated(row.get("Manufactured In")),
        "url": _stated(row.get("URL")),
    }  # fmt: skip
    return _alert_record(number or "", day or "", fields)


def _alert_record(number: str, day: str, fields: Mapping[str, str | None]) -> Record | str:
    """The row, or the reason why it is left out."""
    published_on = _parse_day(day)
    if not number:
        return "without a recall number"
    if published_on is None:
        return "without a readable day"
    if not (fields["title"] or fields["model"] or fields["gtin"]):
        return "without a name and a number of its product"
    return {"alert_id": f"cpsc-{number}", "happened_on": published_on, "known_on": published_on, "register": REGISTER,
            **fields}  # fmt: skip


def _parse_day(text: str) -> date | None:
    bare = text.strip()
    for form in DAY_FORMS:
        try:
            return datetime.strptime(bare.partition("T")[0], form).date()
        except ValueError:
            continue
    return None


def _firm(heading: str | None, *names: str) -> str | None:
    """The firm that recalls, by the words before "recalls" in the heading, or else the first that is named."""
    recalling = _FIRM_OF_HEADING.match(heading or "")
    candidates = (recalling.group(1) if recalling else "", *(_SEAT.sub("", name) for name in names))
    return next((name for name in map(_stated, candidates) if name), None)


def _names(recall: Mapping[str, Any], field: str, name: str) -> list[str]:
    """The values `name` of a list of the recall that state anything."""
    values = (_stated(each.get(name)) for each in _entries(recall, field))
    return [value for value in values if value]


def _entries(recall: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    """The records in a list of the recall."""
    entries = recall.get(field)
    return [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []


def _first(row: Mapping[str, Any], columns: tuple[str, ...]) -> str | None:
    return next((value for value in (_stated(row.get(name)) for name in columns) if value), None)


def _joined(values: list[str]) -> str | None:
    return "; ".join(values) or None


def _stated(value: object) -> str | None:
    text = " ".join(str(value or "").split())
    return text if is_stated(text) else None
