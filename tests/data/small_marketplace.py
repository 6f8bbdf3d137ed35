"""A marketplace of a few good rows in every table, for tests to spoil."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from data.ingest.pipeline import TableCount, ingest
from data.workspace import Workspace

TODAY = date(2026, 6, 30)
REQUIRED = ("suppliers", "skus", "lab_tests")


def good_frames() -> dict[str, pd.DataFrame]:
    """Every table of the contract, every row acceptable, all values as text."""
    of_sku = {"sku_id": ["k1", "k2", "k1"], "market": ["DE", "DE", "FR"]}
    days = {"happened_on": ["2025-01-10", "2025-02-10", "2025-03-10"]}
    known = {"known_on": ["2025-01-20", "2025-02-20", "2025-03-20"]}
    of_supplier = {"supplier_id": ["s1", "s1", "s2"]}
    columns: dict[str, dict[str, list[str]]] = {
        "suppliers": {"supplier_id": ["s1", "s2"], "onboarded_on": ["2020-01-01", "2021-01-01"], "kind": ["brand", ""]},
        "skus": of_sku | of_supplier | {
            "category": ["toy"] * 3, "listed_on": ["2022-01-01"] * 3, "price_eur": ["9.99", "", "12"],
            "radio": ["true", "0", ""], "title": ["Robot, red", 'A "duck"', "Robot\nblue"],
        },
        "lab_tests": {"test_id": ["t1", "t2", "t3"]} | of_sku | days | known | {
            "result": ["pass", "fail", "inconclusive"], "origin": ["warehouse"] * 3, "propensity": ["0.5", "", "1"],
        },
        "certificates": {"certificate_id": ["c1", "c1", "c2"]} | of_supplier | days | {
            "status": ["claimed", "confirmed", "denied"], "sku_id": ["k1", "k1", ""],
        },
        "audits": {"audit_id": ["a1", "a2", "a3"]} | of_supplier | days | {"critical": ["0", "2", "1.0"]},
        "returns": {"return_id": ["r1", "r2", "r3"]} | of_sku | days | {"reason": ["defective", "other", ""]},
        "reviews": {"review_id": ["v1", "v2", "v3"]} | of_sku | days | {"rating": ["1", "5", ""]},
        "orders": of_sku | days | {"units": ["3", "0", "1"]},
        "holds": {"hold_id": ["h1", "h2", "h3"]} | days | {"sku_id": ["k1", "", ""], "supplier_id": ["", "s1", "s2"]},
        "incidents": {"incident_id": ["i1", "i2", "i3"]} | of_sku | days | {"injury_severity": ["0", "4", ""]},
        "remediations": {"remediation_id": ["m1", "m2", "m3"]} | of_supplier | days | {"effective": ["1", "false", ""]},
        "alerts": {"alert_id": ["w1", "w2", "w3"]} | days | {
            "register": ["EU Safety Gate"] * 3, "title": ["Robot, red", "", "Lamp"], "gtin": ["", "4006381333931", ""],
            "sku_id": ["", "", "k9"],
        },
        "attributes": {"entity": ["supplier", "sku", "market"], "id": ["s1", "k1", "DE"]} | days | {
            "name": ["line_speed", "risk_class", "temperature"], "value": ["140", "high", "-3.5"],
            "market": ["", "DE", ""],
        },
        "exposures": of_sku | days | {
            "surface": ["search", "", "recommendation"], "views": ["120", "0", "7"], "promoted": ["", "0", "3"],
        },
    }  # fmt: skip
    return {name: pd.DataFrame(values).replace("", None) for name, values in columns.items()}


def write_csv(frames: Mapping[str, pd.DataFrame], folder: Path) -> Path:
    """Write every frame as `<folder>/<table>.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    return folder


def write_parquet(frames: Mapping[str, pd.DataFrame], folder: Path) -> Path:
    """Write every frame as `<folder>/<table>.parquet`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return folder


def spoiled(table: str, row: int, **values: str | None) -> dict[str, pd.DataFrame]:
    """The good frames of a table and of those that every ingest needs, with some values of one row replaced."""
    frames = {name: frame for name, frame in good_frames().items() if name in {table, *REQUIRED}}
    for column, value in values.items():
        if column not in frames[table]:
            frames[table][column] = pd.Series([None] * len(frames[table]), dtype=object)
        frames[table].loc[row, column] = value
    return frames


def ingested(frames: Mapping[str, pd.DataFrame], home: Path) -> dict[str, TableCount]:
    """Write the frames as Parquet, ingest them into `home/workspace`, and return the counts by table."""
    source = write_parquet(frames, home / "source")
    return {count.table: count for count in ingest(source, Workspace(home / "workspace"), TODAY)}


@dataclass(frozen=True)
class Ingested:
    """A marketplace ingested from `home/source` into `home/workspace`, and its counts by table."""

    home: Path
    counts: Mapping[str, TableCount]

    @property
    def workspace(self) -> Workspace:
        """The workspace with its lake."""
        return Workspace(self.home / "workspace")


def quarantined(home: Path, table: str) -> pd.DataFrame:
    """The quarantined rows of one table after `ingested`."""
    return pd.read_parquet(home / "workspace" / "quarantine" / f"{table}.parquet")
