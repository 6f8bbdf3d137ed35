"""Small files of public registers, of the published shape with invented products."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

NOTIFICATION = {
    "caseNumber": "SR/00001/26", "reference": "https://example.org/alertDetail/1", "category": "Toys",
    "product": "Plush rabbit", "brand": "Hopsy", "name": "Snow Rabbit XL", "type_numberOfModel": "HR-2040",
    "batchNumber": "20251104", "barcode": "4006381333931", "riskType": "Choking", "level": "Serious risk",
    "danger": "The eyes come off and a child may choke on them.", "measures": "Recall of the product from end users",
    "countryOfOrigin": "China", "notifyingCountry": "Luxembourg",
}  # fmt: skip
RECALL: Mapping[str, Any] = {
    "RecallID": 10461, "RecallNumber": "26061", "RecallDate": "2025-10-30T00:00:00",
    "Title": "Harppo Recalls Convertible High Chairs Due to Fall Hazard", "URL": "https://example.org/recalls/26061",
    "Description": 'This recall involves high chairs with model numbers "BHC-001", BHC-002 and BHC-003 in grey.',
    "Products": [{"Name": "Harppo 5-in-1 Convertible High Chair", "Model": "", "Type": "High chairs"}],
    "Manufacturers": [{"Name": "Ningbo Chairs Co. Ltd., of China"}], "Importers": [], "Distributors": [],
    "ProductUPCs": [{"UPC": "036000291452"}, {"UPC": "N/A"}], "Hazards": [{"Name": "Fall hazard"}],
    "RemedyOptions": [{"Option": "Replace"}], "ManufacturerCountries": [{"Country": "China"}],
}  # fmt: skip


def weekly_report(folder: Path, *notifications: Mapping[str, str], day: str = "28/08/2026") -> Path:
    """A weekly report with one notification per mapping; what a mapping does not say is as in `NOTIFICATION`."""
    source = folder / "report.xml"
    alerts = "".join(
        f"<notifications>{''.join(f'<{tag}>{escape(text)}</{tag}>' for tag, text in {**NOTIFICATION, **each}.items())}"
        "</notifications>"
        for each in notifications
    )
    text = f'<?xml version="1.0" encoding="UTF-8"?><Safety-Gate><report_date>{day}</report_date>{alerts}</Safety-Gate>'
    source.write_text(text, encoding="utf-8")
    return source


def recalls_json(folder: Path, *recalls: Mapping[str, Any]) -> Path:
    """The answer of the recall service with one recall per mapping; what one does not say is as in `RECALL`."""
    source = folder / "recalls.json"
    source.write_text(json.dumps([{**RECALL, **each} for each in recalls]), encoding="utf-8")
    return source


RECALLS_CSV = """Recall Number,Date,Recall Heading,Name of product,Description,Hazard Description,Remedy Type,\
Importers,Manufacturers,Distributors,Manufactured In
26061,"October 30, 2025",Harppo Recalls Convertible High Chairs Due to Fall Hazard,Harppo Convertible High Chair,\
"High chairs, model number BHC-001.
Sold in grey.",Children can fall.,Replace,,"Ningbo Chairs Co. Ltd., of China",,China
26062,someday,Lumo Recalls Lamps,Lamp,,,,,,,
"""
