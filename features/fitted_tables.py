"""Fitted tables that features need: rates, category medians, title weights; plain files of the artifact."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import UserError
from data.own_features import OwnFeature, own_features_from_json, own_features_to_json

SCHEMAS: Mapping[str, pa.Schema] = {
    "rates": pa.schema([("rate", pa.string()), ("prior_mean", pa.float64()), ("prior_strength", pa.float64())]),
    "categories": pa.schema([
        ("category", pa.string()), ("market", pa.string()), ("tests", pa.int64()), ("fail_rate", pa.float64()),
        ("log_price_mean", pa.float64()), ("log_price_sd", pa.float64()),
    ]),
    "own_rates": pa.schema([
        ("feature", pa.string()), ("value", pa.string()), ("tests", pa.int64()), ("fail_rate", pa.float64()),
    ]),
    "title_words": pa.schema([("word", pa.string()), ("weight", pa.float64())]),
    "norms": pa.schema([("category", pa.string()), ("feature", pa.string()), ("median", pa.float64())]),
    "frame": pa.schema([
        ("feature", pa.string()), ("bin", pa.int64()), ("upper", pa.float64()), ("trained", pa.float64()),
        ("catalogue", pa.float64()),
    ]),
    "hazards": pa.schema([
        ("category", pa.string()), ("market", pa.string()), ("supplier_id", pa.string()), ("hazard", pa.string()),
        ("severity", pa.string()), ("failures", pa.int64()),
    ]),
    "hazard_smoothing": pa.schema([("shares", pa.string()), ("level", pa.string()), ("strength", pa.float64())]),
    "hazard_evidence": pa.schema([
        ("hazard", pa.string()), ("feature", pa.string()), ("usual", pa.float64()), ("weight", pa.float64()),
    ]),
}  # fmt: skip

OWN_FEATURES = "own_features.json"
"""The file with the declarations of the marketplace's own features."""


class Prior(NamedTuple):
    """Prior mean of a rate, worth `strength` observations."""

    mean: float
    strength: float


# Used for a rate that training has not fitted. Fail rates: share-weighted prevalence of a mixed catalogue, about
# 0.19; the golden pass rates follow from it; returns and reviews are per unit sold and per review.
UNTRAINED_RATES: Mapping[str, Prior] = {
    "supplier_fail": Prior(0.19, 6.0),
    "factory_fail": Prior(0.19, 6.0),
    "category_fail": Prior(0.19, 20.0),
    "sku_fail": Prior(0.19, 3.0),
    "title_fail": Prior(0.19, 2.0),
    "critical_fail": Prior(0.05, 10.0),
    "golden_pass": Prior(0.93, 6.0),
    "return": Prior(0.10, 50.0),
    "safety_return": Prior(0.003, 200.0),
    "quality_return": Prior(0.025, 100.0),
    "deception_return": Prior(0.02, 100.0),
    "low_rating": Prior(0.15, 10.0),
    "hazard_review": Prior(0.01, 50.0),
    "refuted_certificate": Prior(0.10, 5.0),
}


@dataclass(frozen=True)
class FittedTables:
    """Fitted tables by name; those that training did not write are empty.

    `rates` (rate, prior_mean, prior_strength; the names of UNTRAINED_RATES), `categories` (category, market,
    tests, fail_rate, log_price_mean, log_price_sd), `title_words` (word, weight), `own_rates` (feature, value, tests,
    fail_rate: what training learned of the values of own features); read by reasons and monitoring,
    not by the pipeline: `norms` (category, feature, median), `frame` (feature, bin, upper, trained, catalogue: the
    bins of each feature with the share of the training labels and of the catalogue in each), `hazards` (category,
    market, supplier_id, hazard, severity, null where not stated; failures: how many of the training labels),
    `hazard_smoothing` (shares: of hazards or of severities; level, strength: how many failures the cell around it is
    worth), `hazard_evidence` (hazard, feature, usual, weight: what mentions in reviews above the usual rate add). `own`
    are the features that the marketplace declared.
    """

    tables: Mapping[str, pa.Table]
    own: tuple[OwnFeature, ...] = ()

    @classmethod
    def untrained(cls) -> "FittedTables":
        """Tables before any training: the rates of UNTRAINED_RATES only."""
        return cls({"rates": rates_table(UNTRAINED_RATES)})

    def __getitem__(self, name: str) -> pa.Table:
        """The table `name` in its schema."""
        return self.tables[name].cast(SCHEMAS[name]) if name in self.tables else SCHEMAS[name].empty_table()

    def with_tables(self, tables: Mapping[str, pa.Table]) -> "FittedTables":
        """These tables and `tables` by name."""
        return replace(self, tables={**self.tables, **tables})

    def prior(self, rate: str) -> Prior:
        """The prior of `rate`: the fitted one, else the untrained one, for own features that of a category."""
        return self._fitted.get(rate) or UNTRAINED_RATES.get(rate) or UNTRAINED_RATES["category_fail"]

    @cached_property
    def _fitted(self) -> Mapping[str, Prior]:
        return {row["rate"]: Prior(row["prior_mean"], row["prior_strength"]) for row in self["rates"].to_pylist()}


def rates_table(rates: Mapping[str, Prior]) -> pa.Table:
    """The `rates` table of a reference."""
    rows = [{"rate": rate, "prior_mean": prior.mean, "prior_strength": prior.strength} for rate, prior in rates.items()]
    return pa.Table.from_pylist(rows, schema=SCHEMAS["rates"])


def write_fitted_tables(reference: FittedTables, folder: Path) -> None:
    """Write every table of SCHEMAS as `folder/<name>.parquet`, and the own features as OWN_FEATURES."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCHEMAS:
        pq.write_table(reference[name], folder / f"{name}.parquet")
    (folder / OWN_FEATURES).write_text(own_features_to_json(reference.own), encoding="utf-8")


def read_fitted_tables(folder: Path) -> FittedTables:
    """The tables that `write_fitted_tables` wrote; one that an earlier version did not write is empty.

    Whether every file is there that was written, the checksums of an artifact tell. Raises UserError where a table has
    other columns.
    """
    tables = {}
    for name, schema in SCHEMAS.items():
        path = folder / f"{name}.parquet"
        if not path.is_file():
            continue
        table = pq.read_table(path)
        if table.column_names != schema.names:
            raise UserError(
                f"The learned table {path} has the columns {table.column_names}, expected {schema.names}. "
                "Restore the artifact or retrain."
            )
        tables[name] = table
    return FittedTables(tables, _read_own_features(folder / OWN_FEATURES))


def _read_own_features(path: Path) -> tuple[OwnFeature, ...]:
    try:
        return own_features_from_json(path.read_text(encoding="utf-8")) if path.is_file() else ()
    except (OSError, ValueError) as error:
        raise UserError(f"{path} declares no features: {error}. Restore the artifact or retrain.") from error
