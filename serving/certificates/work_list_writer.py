"""Writes the work list of documents of a scored catalogue, a batch of documents after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from data.workspace import replace_atomically
from features.snapshot.reader import Snapshot
from serving.api.counterfactuals import Step
from serving.certificates.issuer_policy import IssuerPolicy, issuer_policy_in_force
from serving.certificates.work_list import CERTIFICATE_FIELDS, EXPIRING, REASONS, REUSED, VALUE
from serving.decisions.document_policy import DocumentPolicy, document_policy_in_force
from serving.dossiers.reader import ENTITY_ROW, scan_table
from serving.dossiers.records import Certificate
from serving.score_rows import RowScorer

Floats = NDArray[np.float64]
CANDIDATES_PER_PLACE = 4
"""So many documents, those of the most units, are shown to the model for each place of the list."""
STANDING = [ENTITY_ROW, "certificate_id"]


@dataclass(frozen=True)
class DocumentedCatalogue:
    """A scored catalogue with its dossiers: the snapshot, p_fail by position and the model that gave it."""

    as_of: date
    dossiers: Path
    snapshot: Snapshot
    p_fail: Floats
    scorer: RowScorer


def write_work_list(catalogue: DocumentedCatalogue, path: Path) -> None:
    """Write the work list of a catalogue as one Parquet file, in its order."""
    issuers, documents = issuer_policy_in_force(catalogue.as_of), document_policy_in_force(catalogue.as_of)
    found = _Finder(catalogue, issuers, documents).find()
    rows = _with_answers(catalogue, issuers, found).head(issuers.work_list)
    with replace_atomically(path) as attempt:
        rows.drop("value").write_parquet(attempt)


@dataclass(frozen=True)
class _Finder:
    """Finds the candidates of the list, a batch of documents after the other."""

    catalogue: DocumentedCatalogue
    issuers: IssuerPolicy
    documents: DocumentPolicy

    @cached_property
    def units(self) -> Floats:
        """The units sold in 90 days, by position."""
        return np.nan_to_num(self.catalogue.snapshot.feature("sku_units_90"))

    @cached_property
    def others(self) -> NDArray[np.int64]:
        """The other products that name a document of the product, by position."""
        return np.nan_to_num(self.catalogue.snapshot.feature("sku_certificate_reuse")).astype(np.int64)

    def find(self) -> pl.DataFrame:
        """The candidates with their SKU's figures: of each reason those of the most units."""
        most, kept = self.issuers.work_list * CANDIDATES_PER_PLACE, self._candidates(pl.DataFrame(_EMPTY))
        for rows in standing_rows(self.catalogue.dossiers):
            found = self._candidates(rows)
            kept = pl.concat([kept, found]).sort("units", descending=True, maintain_order=True)
            kept = kept.group_by("reason", maintain_order=True).head(most).select(found.columns)
        return kept

    def _candidates(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows that are to be looked at, with reason, market, category, whether required, units and reuse."""
        at = rows[ENTITY_ROW].to_numpy()
        first, stop = (int(at.min()), int(at.max()) + 1) if len(at) else (0, 0)
        keys = pl.DataFrame(pl.from_arrow(self.catalogue.snapshot.keys(first, stop).select(["market", "category"])))
        keys = keys[at - first].cast(pl.String)
        rows = rows.with_columns(
            market=keys["market"],
            category=keys["category"],
            units=pl.Series(self.units[at], dtype=pl.Float64),
            others=pl.Series(self.others[at], dtype=pl.Int64),
        )
        kinds = ["scheme", "kind", "market", "category"]
        cells = rows.select(kinds).unique()
        said = [self._confirmable_and_required(**row) for row in cells.iter_rows(named=True)]
        cells = cells.with_columns(confirmable=pl.Series([each[0] for each in said], dtype=pl.Boolean),
                                   required=pl.Series([each[1] for each in said], dtype=pl.Boolean))  # fmt: skip
        rows = rows.join(cells, on=kinds, how="left", nulls_equal=True, maintain_order="left")
        last = self.catalogue.as_of + timedelta(days=self.issuers.expiring_days)
        lapses = pl.col("expires_on").is_between(self.catalogue.as_of, last).fill_null(False)
        claimed = (pl.col("status") == "claimed") & ~(pl.col("expires_on") < self.catalogue.as_of).fill_null(False)
        reason = (
            pl.when(claimed & pl.col("required")).then(pl.lit(VALUE))
            .when((pl.col("status") == "confirmed") & lapses).then(pl.lit(EXPIRING))
            .when(claimed & (pl.col("others") > 0)).then(pl.lit(REUSED))
        )  # fmt: skip
        return rows.with_columns(reason=reason).filter(pl.col("confirmable") & pl.col("reason").is_not_null())

    def _confirmable_and_required(
        self, scheme: str | None, kind: str | None, market: str, category: str
    ) -> tuple[bool, bool]:
        document = _of_kind(scheme, kind)
        known = self.documents.kind_of(document)
        return known is not None and known.others_confirm, self.documents.requires(document, category, market)


_EMPTY: dict[str, Any] = {
    ENTITY_ROW: pl.Series([], dtype=pl.Int32),
    **{name: pl.Series([], dtype=pl.Date if name in ("happened_on", "known_on", "expires_on") else pl.String)
       for name in CERTIFICATE_FIELDS},
}  # fmt: skip


def _of_kind(scheme: str | None, kind: str | None) -> Certificate:
    """A document of which only scheme and kind are known."""
    day = date.min
    return Certificate("", "", day, day, "claimed", None, scheme, None, None, kind)


def standing_rows(dossiers: Path) -> Iterator[pl.DataFrame]:
    """The standing row of each document of each product, a batch at a time; ENTITY_ROW is the product's position."""
    held: pl.DataFrame | None = None
    for batch in scan_table(dossiers, "certificates"):
        rows = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
        rows = rows.select(ENTITY_ROW, *CERTIFICATE_FIELDS).cast({name: each.dtype for name, each in _EMPTY.items()})
        rows = rows if held is None else pl.concat([held, rows])
        last = pl.col(ENTITY_ROW) == rows[ENTITY_ROW].last()  # its documents may go on in the next batch
        held = rows.filter(last)
        yield _standing(rows.filter(~last))
    if held is not None:
        yield _standing(held)


def _standing(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.unique(STANDING, keep="first", maintain_order=True)


def _with_answers(catalogue: DocumentedCatalogue, issuers: IssuerPolicy, found: pl.DataFrame) -> pl.DataFrame:
    """The candidates with what either answer would change, in the order of the list."""
    at, names = found[ENTITY_ROW].to_numpy(), catalogue.snapshot.feature_names
    confirmed, refuted = np.empty(len(at)), np.empty(len(at))
    for start in range(0, len(at), 4_096):
        part = slice(start, start + 4_096)
        matrix = catalogue.snapshot.matrix_at(at[part].astype(np.int64))
        confirmed[part], refuted[part] = (
            catalogue.scorer.probabilities(_after(matrix, names, step)).p_fail
            for step in (issuers.if_confirmed, issuers.if_refuted)
        )
    rank = {name: place for place, name in enumerate(REASONS)}
    rows = found.rename({ENTITY_ROW: "position"}).with_columns(
        p_fail=pl.Series(catalogue.p_fail[at]), p_confirmed=pl.Series(confirmed), p_refuted=pl.Series(refuted),
        place=pl.col("reason").replace_strict(rank, return_dtype=pl.Int8),
    )  # fmt: skip
    value = (pl.col("p_refuted") - pl.col("p_confirmed")).abs() * pl.col("units") * pl.col("required")
    rows = rows.with_columns(value=value)
    order = ["place", "value", "expires_on", "others", "units", "position", "certificate_id"]
    descending = [False, True, False, True, True, False, False]
    return rows.sort(order, descending=descending, nulls_last=True).drop("place", "confirmable")


def _after(matrix: Floats, names: tuple[str, ...], step: Step) -> Floats:
    """The rows of features after a step."""
    return np.vstack([step.apply(row, names) for row in matrix]) if len(matrix) else matrix
