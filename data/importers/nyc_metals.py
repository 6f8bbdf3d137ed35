"""The New York City Health Department's metal tests of consumer products, as contract tables.

Source: "Metal Content of Consumer Products Tested by the NYC Health Department", NYC Open Data. The products
were found in investigations of poisoned people and bought in surveys of stores: not a random sample, and no test
is marked as one. Whether a test failed follows from the illustrative action levels in `nyc_metals_levels.toml`,
not from any finding of the department.
"""

import hashlib
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from data.importers.action_levels import LevelResult, read_action_levels
from data.importers.contract_files import Record, require_folder, write_table
from data.importers.nyc_metals_samples import Sample, read_samples
from data.importers.product_names import company, plain_words
from data.importers.report import ImportCounts

LEVELS_FILE = Path(__file__).with_name("nyc_metals_levels.toml")
COUNTRIES_FILE = Path(__file__).with_name("nyc_metals_countries.toml")
UNKNOWN_MARKET = "UNKNOWN"
# The file does not explain its letters. Toys come under C and never under A, and both hold goods bought abroad:
# investigations of a poisoned child or adult. S is bought in the city: surveys of stores.
STRATEGY = {"C": "follow_up", "A": "follow_up", "S": "rule"}
ORIGIN = {"C": "complaint", "A": "complaint", "S": "mystery_shopper"}


@dataclass(frozen=True)
class _Test:
    """One product test under the contract's keys; `maker` and `made_in` are None where not stated."""

    sample: Sample
    level_result: LevelResult
    sku_id: str
    market: str
    supplier_id: str
    maker: str | None
    made_in: str | None

    @property
    def day(self) -> date:
        return self.sample.product.collected_on


def import_nyc_metals(csv: Path, out: Path) -> ImportCounts:
    """Write `suppliers`, `skus` and `lab_tests` as Parquet into the folder `out`; say what was read and written.

    One row per product test, known on the day of its collection: the file has no report date. Raises UserError
    where `csv` is missing or not this file, or where `out` is a file.
    """
    read = read_samples(csv)
    require_folder(out)
    levels = read_action_levels(LEVELS_FILE)
    codes = tomllib.loads(COUNTRIES_FILE.read_text(encoding="utf-8"))["codes"]
    tests = [
        _assign_keys(sample, levels.evaluate(sample.product.product_type, sample.findings), codes)
        for sample in read.samples
    ]
    tables = {
        "suppliers": _supplier_records(tests),
        "skus": _sku_records(tests),
        "lab_tests": [_lab_test_record(test) for test in tests],
    }
    for name, records in tables.items():
        write_table(name, records, out)
    results = [test.level_result.result for test in tests]
    written = {name: len(records) for name, records in tables.items()}
    return ImportCounts(read.read, read.dropped, written, results.count("fail"), results.count("inconclusive"))


def _assign_keys(sample: Sample, level_result: LevelResult, codes: Mapping[str, str]) -> _Test:
    """The test with its keys: equal products of one maker share a SKU.

    Without a maker a product is a supplier of its own in each market, so that only an equal product type and name join.
    """
    product = sample.product
    maker = company(product.manufacturer)
    sku_id = _digest("sku", product.product_type, plain_words(product.name), maker or "")
    market = codes.get(product.bought_in, UNKNOWN_MARKET)
    supplier_id = _digest("maker", maker) if maker else _digest("unstated", sku_id, market)
    return _Test(sample, level_result, sku_id, market, supplier_id, maker, codes.get(product.made_in))


def _digest(kind: str, *parts: str) -> str:
    return f"{kind}-{hashlib.sha256(chr(31).join(parts).encode()).hexdigest()[:16]}"


def _supplier_records(tests: Iterable[_Test]) -> Sequence[Record]:
    """One row per supplier; its country only where every product that states one states the same."""
    by_supplier: dict[str, list[_Test]] = defaultdict(list)
    for test in tests:
        by_supplier[test.supplier_id].append(test)
    records: list[Record] = []
    for supplier_id, own in by_supplier.items():
        countries = {test.made_in for test in own} - {None}
        records.append({
            "supplier_id": supplier_id,
            "onboarded_on": min(test.day for test in own),
            "country": countries.pop() if len(countries) == 1 else None,
            "kind": "manufacturer" if own[0].maker else None,
        })  # fmt: skip
    return records


def _sku_records(tests: Iterable[_Test]) -> Sequence[Record]:
    """One row per SKU and market, as first seen."""
    first: dict[tuple[str, str], _Test] = {}
    for test in sorted(tests, key=lambda test: (test.day, test.sample.row_id)):
        first.setdefault((test.sku_id, test.market), test)
    return [
        {
            "sku_id": test.sku_id,
            "market": test.market,
            "supplier_id": test.supplier_id,
            "category": test.sample.product.product_type,
            "listed_on": test.day,
            "title": test.sample.product.name,
            "brand": test.sample.product.manufacturer if test.maker else None,
        }
        for test in first.values()
    ]


def _lab_test_record(test: _Test) -> Record:
    return {
        "test_id": f"nyc-{test.sample.row_id}",
        "sku_id": test.sku_id,
        "market": test.market,
        "happened_on": test.day,
        "known_on": test.day,
        "result": test.level_result.result,
        "origin": ORIGIN[test.sample.product.investigation],
        "strategy": STRATEGY[test.sample.product.investigation],
        "package": "+".join(sorted({finding.metal.lower() for finding in test.sample.findings})),
        "hazard": test.level_result.hazard,
    }
