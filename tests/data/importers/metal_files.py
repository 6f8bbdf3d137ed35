"""Small metals files for the tests of the importer."""

import csv
from collections.abc import Mapping
from pathlib import Path

from data.importers.nyc_metals_samples import COLUMNS

ROW = {
    "PRODUCT_TYPE": "Food-Spice", "PRODUCT_NAME": "Turmeric", "METAL": "Lead", "CONCENTRATION": "-1", "UNITS": "ppm",
    "MANUFACTURER": "UNKNOWN OR NOT STATED", "MADE_IN_COUNTRY": "INDIA", "PURCHASE COUNTRY": "UNITED STATES",
    "COLLECTION_DATE": "01/04/2011 00:00", "INVESTIGATION TYPE": "C",
}  # fmt: skip


def metals_file(folder: Path, *rows: Mapping[str, str]) -> Path:
    """A metals file with one line per row; what a row does not say is as in `ROW`, numbered from 1."""
    source = folder / "metals.csv"
    with source.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        writer.writeheader()
        for number, row in enumerate(rows, start=1):
            writer.writerow({"ROW_ID": str(number), **ROW, **row})
    return source
