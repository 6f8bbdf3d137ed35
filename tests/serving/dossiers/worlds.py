"""Random small marketplaces, and what the dossier of a SKU must hold by the plainest reading of its definition."""

from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from data.contract import TABLES
from data.lake.tables import Tables, schema_of, tables_from_frames
from serving.dossiers.records import Dossier
from tests.features.small_world import AS_OF, Row, Rows, random_rows

SKUS = 8


def world(seed: int) -> Rows:
    """A random marketplace whose SKUs are listed except the last, with holds and certificates of whole ranges."""
    rows = random_rows(seed, rows_per_table=60)
    for number, sku in enumerate(rows["skus"]):
        sku["listed_on"] = AS_OF - timedelta(50 - number) if number < SKUS - 1 else AS_OF + timedelta(3)
        sku["supplier_id"] = sku["supplier_id"] or "s0"
    for hold in rows["holds"][::3]:
        hold |= {"sku_id": None, "market": [None, "EU", "US"][int(hold["hold_id"]) % 4 % 3]}
    return rows


def tables_of(rows: Rows) -> Tables:
    """The rows as tables of the contract."""
    return tables_from_frames({
        table.name: pa.Table.from_pylist(rows[table.name], schema=schema_of(table).to_pyarrow())
        for table in TABLES if table.name in rows
    })  # fmt: skip


def ids_expected(rows: Rows, sku: Row, as_of: date = AS_OF) -> dict[str, set[Any]]:
    """The identifiers of the rows that the dossier of `sku` must hold."""

    def known(table: str) -> list[Row]:
        return [row for row in rows[table] if row["known_on"] < as_of]

    def own(row: Row) -> bool:
        return bool((row["sku_id"], row["market"]) == (sku["sku_id"], sku["market"]))

    def ranged(row: Row) -> bool:
        return bool(row["sku_id"] is None and row["supplier_id"] == sku["supplier_id"])

    def of_supplier(row: Row) -> bool:
        return bool(row["supplier_id"] == sku["supplier_id"])

    return {
        "tests": {row["test_id"] for row in known("lab_tests") if own(row)},
        "certificates": {
            (row["certificate_id"], row["happened_on"], row["status"])
            for row in known("certificates") if row["sku_id"] == sku["sku_id"] or ranged(row)
        },
        "holds": {
            row["hold_id"] for row in known("holds")
            if (row["sku_id"] == sku["sku_id"] or ranged(row)) and row["market"] in (None, sku["market"])
        },
        "incidents": {row["incident_id"] for row in known("incidents") if own(row)},
        "audits": {row["audit_id"] for row in known("audits") if of_supplier(row)},
        "remediations": {row["remediation_id"] for row in known("remediations") if of_supplier(row)},
    }  # fmt: skip


def ids_told(dossier: Dossier) -> dict[str, set[Any]]:
    """The identifiers of the rows that a dossier holds."""
    return {
        "tests": {test.test_id for test in dossier.tests},
        "certificates": {(each.certificate_id, each.happened_on, each.status) for each in dossier.certificates},
        "holds": {hold.hold_id for hold in dossier.holds},
        "incidents": {incident.incident_id for incident in dossier.incidents},
        "audits": {audit.audit_id for audit in dossier.audits},
        "remediations": {each.remediation_id for each in dossier.remediations},
    }


def units_expected(rows: Rows, sku: Row, as_of: date = AS_OF) -> dict[str, dict[tuple[int, int], int]]:
    """What the months must add up to: per figure, the sum of each (year, month)."""
    figures: dict[str, dict[tuple[int, int], int]] = {
        name: {} for name in ("units", "returned_units", "safety_returned_units", "reviews")
    }

    def add(figure: str, row: Row, amount: int) -> None:
        month = (row["happened_on"].year, row["happened_on"].month)
        figures[figure][month] = figures[figure].get(month, 0) + amount

    for table in ("orders", "returns", "reviews"):
        for row in rows[table]:
            known = row.get("known_on") or row["happened_on"]
            if (row["sku_id"], row["market"]) != (sku["sku_id"], sku["market"]) or known >= as_of:
                continue
            if table == "returns":
                units = row["units"] if row["units"] is not None else 1
                add("returned_units", row, units)
                if row["reason"] in ("safety_concern", "allergic_reaction"):
                    add("safety_returned_units", row, units)
            else:
                add("units" if table == "orders" else "reviews", row, row["units"] if table == "orders" else 1)
    return figures
