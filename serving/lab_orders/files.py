"""The order file of a laboratory as CSV, and the same file read back with results: its rows as records to validate."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from data.errors import UserError
from data.visible_text import escape_formula
from serving.lab_orders.orders import LabOrder, LabOrderPolicy

ORDER_COLUMNS = ("order_id", "sku_id", "market", "title", "link", "package", "standard", "units", "due_on")
RESULT_COLUMNS = ("result", "severity", "hazard", "happened_on", "known_on", "test_id")
OPTIONAL_COLUMNS = (
    "origin", "cost_eur", "version", "status", "report_number", "report_digest", "accreditation", "clause",
)  # fmt: skip
"""Columns that a laboratory may add; a `version` above 1 amends the result that an order has."""

Record = Mapping[str, Any]


def order_file(orders: Sequence[LabOrder], policy: LabOrderPolicy) -> str:
    """The orders as CSV: nothing of score, band, reason or cause of selection, which would unblind the laboratory."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow((*ORDER_COLUMNS, *RESULT_COLUMNS))
    for order in sorted(orders, key=lambda each: each.order_id):
        writer.writerow([escape_formula(value) for value in (*_order_row(order, policy), *[""] * len(RESULT_COLUMNS))])
    return out.getvalue()


def _order_row(order: LabOrder, policy: LabOrderPolicy) -> tuple[object, ...]:
    sku_id, market = order.key
    link = policy.listing_link.replace("{market}", quote(market, safe="")).replace("{sku_id}", quote(sku_id, safe=""))
    units = order.package.units if order.package else None
    return (
        order.order_id,
        sku_id,
        market,
        order.title or "",
        link,
        order.package_name,
        order.standard,
        units,
        order.due_on,
    )


@dataclass(frozen=True)
class ReturnedRow:
    """A row of a returned file: its `line`, its order where there is one, the record to validate, else why not."""

    line: int
    order: LabOrder | None
    record: Record | None
    refused: str | None


def is_order_file(text: str) -> bool:
    """Whether the first line names the columns of an order file."""
    return "order_id" in text.lstrip("\ufeff").partition("\n")[0]


def read_returned_file(content: bytes, orders: Sequence[LabOrder], policy: LabOrderPolicy) -> list[ReturnedRow]:
    """The rows of a returned file that have a result; those without one are still open and are left out.

    Raises UserError where it is no order file, or has too many rows.
    """
    rows = _read_csv(content)
    by_id = {each.order_id: each for each in orders}
    filled = [(line, row) for line, row in enumerate(rows, start=2) if row.get("result")]
    if not filled:
        raise UserError("No row of the file has a result. Fill in the column `result` with pass, fail or inconclusive.")
    if len(filled) > policy.most_rows:
        raise UserError(f"The file has {len(filled):,} results; at most {policy.most_rows:,} fit. Send several files.")
    read, seen = [_returned_row(line, row, by_id, policy) for line, row in filled], set[str]()
    for number, each in enumerate(read):
        if each.order and each.record and each.order.order_id in seen:
            read[number] = ReturnedRow(each.line, each.order, None, f"order {each.order.order_id} has two rows")
        if each.order:
            seen.add(each.order.order_id)
    return read


def _read_csv(content: bytes) -> list[dict[str, str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError("The file is not UTF-8 text. Save it as `CSV UTF-8` and send it again.") from error
    if not is_order_file(text):
        raise UserError("The file has no column `order_id`. Fill in the order file as it was sent, and return that.")
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        rows = [{str(name).strip(): _cell(value) for name, value in row.items() if name} for row in reader]
    except csv.Error as error:
        raise UserError(f"The file is not CSV: {error}. Save it as `CSV UTF-8` and send it again.") from error
    columns = {name.strip().strip('"') for name in head.split(delimiter)}
    missing = [name for name in ("order_id", *RESULT_COLUMNS) if name not in columns]
    if missing:
        raise UserError(f"The file lacks the columns {', '.join(missing)}. Return the order file with all its columns.")
    return rows


def _cell(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _returned_row(
    line: int, row: Mapping[str, str], by_id: Mapping[str, LabOrder], policy: LabOrderPolicy
) -> ReturnedRow:
    order = by_id.get(row["order_id"])
    if order is None:
        return ReturnedRow(line, None, None, f"there is no open order {row['order_id']!r}")
    expected = {"sku_id": order.key.sku_id, "market": order.key.market}
    given = {name: row.get(name) for name in expected}
    changed = [name for name, value in expected.items() if given[name] not in (None, "", str(escape_formula(value)))]
    if changed:
        return ReturnedRow(line, order, None, f"{' and '.join(changed)} differ from those of order {order.order_id}")
    if order.answered and row.get("version") in (None, "", "1"):
        return ReturnedRow(line, order, None, f"order {order.order_id} has its result already")
    return ReturnedRow(line, order, _record(row, order, policy), None)


def _record(row: Mapping[str, str], order: LabOrder, policy: LabOrderPolicy) -> Record:
    """The row in the columns of results; a planned test names its round, so that estimates use it."""
    cost = order.package.cost_cents / 100 if order.package else None
    values: dict[str, Any] = {
        **{name: row.get(name) for name in OPTIONAL_COLUMNS},
        **order.result_fields, "test_id": row["test_id"] or order.order_id, "happened_on": row["happened_on"],
        "known_on": row["known_on"], "result": row["result"].lower(), "severity": row["severity"].lower(),
        "origin": row.get("origin") or policy.sample_origin, "hazard": row["hazard"],
        "cost_eur": _number(row.get("cost_eur", "")) if row.get("cost_eur") else cost,
        "version": _number(row.get("version", "")) if row.get("version") else None,
    }  # fmt: skip
    return MappingProxyType({name: value for name, value in values.items() if value not in (None, "")})


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def file_name(lab: str, today: date, round_id: str | None) -> str:
    """The name of a laboratory's file, in plain letters."""
    plain = "".join(each if each.isascii() and each.isalnum() else "-" for each in lab).strip("-").lower()
    return f"lab-order-{plain or 'lab'}-{round_id or today.isoformat()}.csv"
