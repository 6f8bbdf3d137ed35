"""EU Safety Gate (before: RAPEX): the weekly report of alerts about dangerous products, as the contract's `alerts`.

Source: the XML that the European Commission offers beside each weekly report, and for the result of a search. An alert
holds for all of the EEA and is evidence anywhere, so it names no market.
"""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from data.errors import UserError
from data.importers.contract_files import Record, write_alerts
from data.importers.identifiers import gtins_in
from data.importers.product_names import is_stated
from data.importers.report import ImportCounts

REGISTER = "EU Safety Gate"
ALERT_TAGS = ("notifications", "notification")
DAY_TAGS = ("report_date", "publicationDate", "date")
DAY_FORMS = ("%d/%m/%Y", "%Y-%m-%d")


def import_safety_gate(xml: Path, out: Path) -> ImportCounts:
    """Write `alerts` as Parquet into the folder `out`; say what was read and written.

    One row per notification, known on the day of its report. Raises UserError where `xml` is missing, is no XML or
    holds no notification that can be read, or where `out` is a file.
    """
    return write_alerts(_read_alerts(xml), xml, out)


def _read_alerts(xml: Path) -> Iterator[Record | str]:
    if not xml.is_file():
        raise UserError(f"There is no file {xml}. Give the XML of a weekly report of EU Safety Gate.")
    try:
        # expat refuses entities that multiply, and reads nothing from elsewhere.
        root = ET.parse(xml).getroot()  # noqa: S314
    except ET.ParseError as error:
        raise UserError(f"{xml} is not XML: {error}. Give the XML of a weekly report of EU Safety Gate.") from error
    published = _texts(root)
    alerts = [each for each in root.iter() if _tag(each) in ALERT_TAGS and _is_alert(each)]
    if not alerts:
        raise UserError(f"{xml} holds no notification. Give the XML of a weekly report of EU Safety Gate.")
    return (_alert_record(published | _texts(each)) for each in alerts)


def _tag(element: ET.Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def _is_alert(element: ET.Element) -> bool:
    """Whether an element is a notification, and not a list of them."""
    return not any(_tag(child) in ALERT_TAGS for child in element)


def _texts(element: ET.Element) -> dict[str, str]:
    """The words of the children by name, where they state anything."""
    texts = {_tag(child): " ".join((child.text or "").split()) for child in element}
    return {name: text for name, text in texts.items() if is_stated(text)}


def _alert_record(fields: dict[str, str]) -> Record | str:
    """The row, or the reason why the notification is left out."""
    number, day = fields.get("caseNumber"), _published_on(fields)
    if number is None:
        return "without a case number"
    if day is None:
        return "without a day of publication"
    title = " ".join(dict.fromkeys(fields[name] for name in ("product", "name") if name in fields)) or None
    gtin = gtins_in(" ; ".join(fields.get(name, "") for name in ("barcode", "batchNumber_barcode")))
    model = fields.get("type_numberOfModel")
    if title is gtin is model is None:
        return "without a name and a number of its product"
    return {
        "alert_id": f"safety-gate-{number}", "happened_on": day, "known_on": day, "register": REGISTER,
        "title": title, "brand": fields.get("brand"), "gtin": gtin, "model": model,
        "category": fields.get("category"), "hazard": fields.get("riskType") or fields.get("danger"),
        "risk_level": fields.get("level"), "measure": fields.get("measures"),
        "country_of_origin": fields.get("countryOfOrigin"), "url": fields.get("reference"),
    }  # fmt: skip


def _published_on(fields: dict[str, str]) -> date | None:
    for text in (fields[name] for name in DAY_TAGS if name in fields):
        for form in DAY_FORMS:
            try:
                return datetime.strptime(text[:10], form).date()
            except ValueError:
                continue
    return None
