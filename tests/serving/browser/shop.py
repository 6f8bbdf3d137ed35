"""A small marketplace with everything the pages show, and with sellers and buyers who write markup."""

import shutil
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from data.alerts.stored_matches import keep_alert_matches
from data.contract import TABLES
from data.lake.tables import Tables, schema_of, tables_from_frames
from data.progress import SilentProgress
from data.workspace import Workspace
from features.review_text.incremental import add_review_tables_in_memory
from models.registry import load_champion
from serving.scoring.batch import score_catalogue
from tests.models.worlds import tiny_champion

DAY = date(2026, 6, 11)
DAY_BEFORE = DAY - timedelta(days=35)  # K-0 was not listed yet
SKUS = 80
# Whoever reads these sees them as they are; a browser that runs one sets window.ran.
MARKUP = "<img src=x onerror=\"window.ran='image'\"><script>window.ran='script'</script>"
HOSTILE_TITLE = f"Charger '\"><svg onload=\"window.ran='svg'\"> {MARKUP}"
HOSTILE_SUPPLIER = "S-<b onmouseover=\"window.ran='supplier'\">0</b>"
HOSTILE_REVIEW = f"It caught fire and burned my hand. {MARKUP}"
HOSTILE_SKU = "K-0"
FAILED_SKU = "K-1"
QUOTED_SKU = "K-4"
NOTICED = (77, 65, 59)  # numbers of SKUs with a notice and no fact
DRAWN_SKU = "K-72"  # its case asks for an own estimate


def shop_tables() -> Tables:
    """The tables: `HOSTILE_SKU` carries markup, `FAILED_SKU` failed a test, reviews of `QUOTED_SKU` tell of hazards."""
    rows = {
        "suppliers": [{"supplier_id": _supplier(n), "onboarded_on": _ago(900)} for n in range(4)],
        "skus": [_sku(number) for number in range(SKUS)],
        "lab_tests": [_test(number) for number in range(1, SKUS, 3)],
        "orders": [_order(number, days) for number in range(SKUS) for days in range(5, 365, 30)],
        "returns": [_return(number) for number in range(0, SKUS, 2)],
        "reviews": [_review(number, words) for number in range(0, SKUS, 4) for words in range(3)],
        "certificates": [*(_certificate(number) for number in range(0, SKUS, 5)), *map(_report, (10, 25, 40))],
        "holds": [_hold(1), _hold(7), *_other_holds()],
        "incidents": [*(_incident(number) for number in (0, 1, *NOTICED)), _lapsed_incident(1), _lapsed_incident(3)],
        "alerts": [_alert(0), _alert(3)],
    }
    frames = {
        table.name: pa.Table.from_pylist(rows[table.name], schema=schema_of(table).to_pyarrow())
        for table in TABLES if table.name in rows
    }  # fmt: skip
    return add_review_tables_in_memory(keep_alert_matches(tables_from_frames(frames)))


def scored_shop(home: Path, days: Sequence[date] = (DAY,)) -> Workspace:
    """A workspace with the marketplace scored by a small model, ready to be served; scored once, then copied."""
    shutil.copytree(_scored(DAY, tuple(days)).name, home)
    return Workspace(home.resolve())


@cache
def _scored(_: date, days: tuple[date, ...]) -> "TemporaryDirectory[str]":
    """The folder of the scored marketplace as it is on a day, which goes with the process."""
    folder = TemporaryDirectory(prefix="scored-shop-")
    workspace, tables = Workspace(Path(folder.name).resolve()), shop_tables()
    tiny_champion(workspace, 4)
    for day in days:
        score_catalogue(workspace, tables, load_champion(workspace), day, SilentProgress())
    return folder


def listing_of(sku_id: str) -> dict[str, Any]:
    """What a marketplace says of a SKU when it asks about its listing."""
    listing = _sku(int(sku_id[2:]))
    return {name: listing[name] for name in ("sku_id", "market", "supplier_id", "category")}


def _ago(days: int) -> date:
    return DAY - timedelta(days=days)


def _supplier(number: int) -> str:
    return HOSTILE_SUPPLIER if number % 4 == 0 else f"S-{number % 4}"


def _sku(number: int) -> dict[str, Any]:
    title = HOSTILE_TITLE if number == 0 else f"USB charger {number} W, foldable plug"
    return {
        "sku_id": f"K-{number}", "market": "EU", "supplier_id": _supplier(number), "factory_id": f"F-{number % 5}",
        "category": ("mains_chargers", "toys_3_plus", "jewellery")[number % 3], "listed_on": _ago(30 + number * 9),
        "title": title, "brand": "Acme" if number % 2 else None, "price_eur": 4.5 + number,
        "responsible_person": number % 3 != 0,
    }  # fmt: skip


def _test(number: int) -> dict[str, Any]:
    failed = number == 1 or number % 4 == 0
    return {
        "test_id": f"T-{number}", "sku_id": f"K-{number}", "market": "EU", "happened_on": _ago(90),
        "known_on": _ago(70),
        "result": "fail" if failed else "pass", "origin": "supplier_provided" if number == 13 else "warehouse",
        "strategy": "random", "propensity": 0.1, "package": "Charger safety set", "lab_id": "L-1",
        "severity": "critical" if failed else None, "hazard": "electric_shock" if failed else None, "cost_eur": 450.0,
    }  # fmt: skip


def _order(number: int, days: int) -> dict[str, Any]:
    return {"sku_id": f"K-{number}", "market": "EU", "happened_on": _ago(days), "units": 20 + 3 * number}


def _return(number: int) -> dict[str, Any]:
    reason = "safety_concern" if number % 4 == 0 else "defective"
    return {"return_id": f"R-{number}", "sku_id": f"K-{number}", "market": "EU", "happened_on": _ago(40),
            "known_on": _ago(38), "units": 2, "reason": reason}  # fmt: skip


def _review(number: int, words: int) -> dict[str, Any]:
    said = (HOSTILE_REVIEW, "Works well, no problem at all.", "It gave me an electric shock when I plugged it in.")
    day = _ago(50 - words)
    return {"review_id": f"V-{number}-{words}", "sku_id": f"K-{number}", "market": "EU", "happened_on": day,
            "known_on": day, "rating": 1 + 2 * (words % 2), "text": said[words], "language": "en",
            "verified": words != 1}  # fmt: skip


def _certificate(number: int) -> dict[str, Any]:
    return {"certificate_id": f"C-{number}", "supplier_id": _supplier(number), "happened_on": _ago(200),
            "known_on": _ago(199), "status": "denied" if number == 5 else "claimed", "sku_id": f"K-{number}",
            "scheme": "REACH" if number == 5 else "CE LVD", "issuer": MARKUP, "expires_on": _ago(-300)}  # fmt: skip


def _report(number: int) -> dict[str, Any]:
    """A required report of a toy that its issuer can confirm; that of K-25 is confirmed and lapses soon."""
    status, lapses = ("confirmed", -30) if number == 25 else ("claimed", -300)
    return {"certificate_id": f"D-{number}", "supplier_id": _supplier(number), "happened_on": _ago(100),
            "known_on": _ago(100), "status": status, "sku_id": f"K-{number}", "scheme": "EN 71 report",
            "issuer": "LAB-G", "expires_on": _ago(lapses), "number": f"TR-{number}", "holder": "Acme Co., Ltd.",
            "standard": "EN 71-1"}  # fmt: skip


def _hold(number: int) -> dict[str, Any]:
    return {"hold_id": f"H-{number}", "happened_on": _ago(9), "known_on": _ago(8), "sku_id": f"K-{number}",
            "market": "EU", "authority": "EU customs", "kind": "detained"}  # fmt: skip


def _alert(number: int) -> dict[str, Any]:
    """A recall of a SKU by brand and title, or by the marketplace where its words are hostile."""
    hostile = {"title": HOSTILE_TITLE, "url": "javascript:alert(1)", "hazard": MARKUP, "sku_id": "K-0"}
    plain = {"title": f"Acme USB charger {number} W", "brand": "ACME Ltd.", "url": "https://example.org/recall",
             "hazard": "electric_shock"}  # fmt: skip
    return {"alert_id": f"W-{number}", "happened_on": _ago(20), "known_on": _ago(20), "register": "EU Safety Gate",
            "measure": "recall", **(plain if number else hostile)}  # fmt: skip


def _other_holds() -> list[dict[str, Any]]:
    """An authority's hold of a supplier's whole range, one of the marketplace itself, one of another market."""
    held = {"happened_on": _ago(4), "known_on": _ago(3), "authority": "EU customs", "kind": "detained"}
    return [
        {**held, "hold_id": "H-range", "supplier_id": "S-2"},
        {**held, "hold_id": "H-own", "sku_id": "K-9", "authority": "marketplace"},
        {**held, "hold_id": "H-elsewhere", "supplier_id": "S-3", "market": "US"},
        {**held, "hold_id": "H-old", "sku_id": "K-13", "happened_on": _ago(500), "known_on": _ago(499)},
    ]


def _incident(number: int) -> dict[str, Any]:
    return {"incident_id": f"I-{number}", "sku_id": f"K-{number}", "market": "EU", "happened_on": _ago(20),
            "known_on": _ago(15), "hazard": "electric_shock", "injury_severity": 1}  # fmt: skip


def _lapsed_incident(number: int) -> dict[str, Any]:
    """A notice of so long ago that it sets no deadline any more."""
    return {**_incident(number), "incident_id": f"I-{number}-old", "happened_on": _ago(210), "known_on": _ago(200)}
