"""The samples in the New York City metals file: rows of one product, one per metal, read and grouped."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from pathlib import Path

from data.errors import UserError
from data.importers.action_levels import Finding
from data.importers.product_names import plain_words
from data.importers.table_rows import TableRows, read_table_rows
from data.text_values import parse_day

COLUMNS = (
    "ROW_ID", "PRODUCT_TYPE", "PRODUCT_NAME", "METAL", "CONCENTRATION", "UNITS", "MANUFACTURER",
    "MADE_IN_COUNTRY", "PURCHASE COUNTRY", "COLLECTION_DATE", "INVESTIGATION TYPE",
)  # fmt: skip
NOT_DETECTED = -1.0
CONTROL_TYPE = "QA/QC"
PORTAL_DAYS = ((10, "%m/%d/%Y"), (11, "%Y %b %d"))
INVESTIGATIONS = ("A", "C", "S")


@dataclass(frozen=True)
class Product:
    """The product of a row, in the file's words, and the day of its collection."""

    product_type: str
    name: str
    manufacturer: str
    made_in: str
    bought_in: str
    collected_on: date
    investigation: str


@dataclass(frozen=True)
class Sample:
    """One product test: the product, the number of its first row, and one finding per metal and unit."""

    product: Product
    row_id: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Samples:
    """All samples of a file in row order, the rows read, and the rows left out by reason."""

    samples: tuple[Sample, ...]
    read: int
    dropped: Mapping[str, int]


@dataclass(frozen=True)
class _Row:
    row_id: int
    product: Product
    finding: Finding


def read_samples(source: Path) -> Samples:
    """The samples of the file at `source`; unreadable rows and laboratory controls are counted and left out.

    Raises UserError where the file is missing, is no such file or holds no sample.
    """
    dropped: Counter[str] = Counter()
    rows = []
    table = _read_records(source)
    if table.lost:
        dropped["that are no row of a table"] = table.lost
    for record in table.rows:
        row = _parse_row(record)
        if isinstance(row, str):
            dropped[row] += 1
        else:
            rows.append(row)
    rows.sort(key=lambda row: row.row_id)
    samples, read = tuple(_group_samples(rows)), len(table.rows) + table.lost
    if not samples:
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in dropped.most_common())
        raise UserError(
            f"{source} holds no readable sample in {read:,} rows{f' ({reasons})' if reasons else ''}. "
            "Export the file again."
        )
    return Samples(samples, read, dict(dropped))


def _read_records(source: Path) -> TableRows:
    """The rows under the names of `COLUMNS`."""
    table = read_table_rows(source, COLUMNS)
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise UserError(
            f"{source} is not the metals file of New York City: it lacks {', '.join(missing)}. "
            f"Give the export with the columns {', '.join(COLUMNS)}."
        )
    return table


def _parse_row(record: Mapping[str, str]) -> _Row | str:
    """The row, or the reason why it is left out."""
    reason = _reason_to_drop(record)
    if reason:
        return reason
    collected_on = _parse_collection_day(record["COLLECTION_DATE"])
    if collected_on is None:
        return "without a readable collection date"
    try:
        row_id, concentration = int(record["ROW_ID"]), float(record["CONCENTRATION"])
    except ValueError:
        return "without a readable row number or concentration"
    if (concentration < 0 and concentration != NOT_DETECTED) or not concentration < float("inf"):
        return "with an impossible concentration"
    product = Product(
        record["PRODUCT_TYPE"], record["PRODUCT_NAME"], record["MANUFACTURER"], record["MADE_IN_COUNTRY"],
        record["PURCHASE COUNTRY"], collected_on, record["INVESTIGATION TYPE"],
    )  # fmt: skip
    measured = None if concentration == NOT_DETECTED else concentration
    return _Row(row_id, product, Finding(record["METAL"], record["UNITS"], measured))


def _parse_collection_day(text: str) -> date | None:
    """The day as the portal's CSV writes it, today or earlier, or as its API does (ISO 8601)."""
    for digits, form in PORTAL_DAYS:
        try:
            return parse_day(text) or datetime.strptime(text[:digits], form).date()
        except ValueError:
            continue
    return None


def _reason_to_drop(record: Mapping[str, str]) -> str:
    if record["PRODUCT_TYPE"].startswith(CONTROL_TYPE):
        return "of the laboratory's own quality control"
    if not (record["PRODUCT_TYPE"] and plain_words(record["PRODUCT_NAME"]) and record["METAL"]):
        return "without product or metal"
    if record["INVESTIGATION TYPE"] not in INVESTIGATIONS:
        return "with an unknown investigation type"
    return ""


def _group_samples(rows: Iterable[_Row]) -> Iterator[Sample]:
    """Consecutive rows of one product are one sample until a metal recurs in the same unit."""
    for product, same in groupby(rows, key=lambda row: row.product):
        together: list[_Row] = []
        measured: set[tuple[str, str]] = set()
        for row in same:
            measurement = (row.finding.metal, row.finding.unit)
            if measurement in measured:
                yield _sample(product, together)
                together, measured = [], set()
            together.append(row)
            measured.add(measurement)
        yield _sample(product, together)


def _sample(product: Product, rows: Sequence[_Row]) -> Sample:
    return Sample(product, rows[0].row_id, tuple(row.finding for row in rows))
