"""Reader of the review queue: memory-mapped columns, filtered in milliseconds among millions of SKUs."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data.errors import UserError
from features.snapshot.reader import Snapshot
from features.snapshot.storage import NO_ROW, MemoryMappedTable
from models.risk_levels import LEVELS, UNKNOWN, RiskLevel
from serving.decisions.blind_assessment import draw_cases
from serving.decisions.policy import DecisionPolicy
from serving.review_queue.format import (
    COLUMNS,
    MANIFEST,
    ORDERS,
    SORTED_BY_SCORE,
    SORTS,
    SUPPLIERS,
    TEXT_SCHEMA,
    TEXTS,
    QueueEvidence,
    QueueQuery,
    file_of,
)

SEARCHERS = 2
Numbers = NDArray[np.integer[Any]]


class HarmFields(TypedDict):
    """What would fail, as in a score row."""

    hazard: str | None
    hazard_share: float | None
    risk_level: RiskLevel | None


@dataclass(frozen=True)
class QueueEntry:
    """One SKU of the queue. `level` numbers its band, 0 the gentlest; `days_since_test` None where never tested.

    `reason` names the feature that raises the score most, None where none does.
    """

    position: int
    rank: int
    sku_id: str
    market: str
    title: str | None
    supplier_id: str
    category: str
    p_fail: float
    p_low: float
    p_high: float
    band: str
    level: int
    units_90: int
    days_since_test: int | None
    evidence: QueueEvidence
    hazard: str | None
    hazard_share: float | None
    risk_level: RiskLevel | None


class Queue:
    """The review queue of one scored catalogue. Raises UserError where the folder is absent or broken.

    A number is a SKU's rank - 1, a position its row in the snapshot.
    """

    def __init__(self, folder: Path) -> None:
        self._content = MANIFEST.read(folder)
        self._folder = folder
        self._sampled_by_version: dict[str, NDArray[np.bool_]] = {}
        self._columns = {name: self._array(name).view(dtype) for name, dtype in COLUMNS.items()}
        self._orders = {name: self._array(f"order_{name}") for name in ORDERS}
        self._texts = MemoryMappedTable(folder / TEXTS).columns(TEXT_SCHEMA.names)
        self._supplier_file = MemoryMappedTable(folder / SUPPLIERS)  # sorted by name
        self._suppliers = self._supplier_file.columns(["supplier_id"])["supplier_id"]

    def __len__(self) -> int:
        return self._content.skus

    def _array(self, name: str) -> NDArray[Any]:
        return MemoryMappedTable(self._folder / file_of(name)).array(name)

    @property
    def bands(self) -> tuple[str, ...]:
        """The names of the bands, the gentlest first."""
        return self._content.bands

    @property
    def markets(self) -> tuple[str, ...]:
        """The markets by name."""
        return self._content.markets

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories by name."""
        return self._content.categories

    def supplier_numbers(self, supplier_ids: Sequence[str]) -> NDArray[np.int64]:
        """The numbers of those of these suppliers that the catalogue has, as in the column `supplier`."""
        found = [self._supplier_file.find(["supplier_id"], [supplier_id]) for supplier_id in supplier_ids]
        return np.array([number for number in found if number != NO_ROW], dtype=np.int64)

    @cached_property
    def band_sizes(self) -> tuple[int, ...]:
        """How many SKUs each band holds."""
        return tuple(np.bincount(self._columns["band"], minlength=len(self.bands)).tolist())

    def find(self, query: QueueQuery) -> Numbers:
        """The numbers of the SKUs that match, in the order of the query."""
        matches = self._matches(query)
        if query.sort not in SORTS:
            raise UserError(f"The queue cannot be sorted by {query.sort!r}. Choose {', '.join(SORTS)}.")
        if query.blinded is None or not query.blinded.any():
            return self._sort(query.sort, matches)
        matches = np.ones(len(self), dtype=bool) if matches is None else matches
        if query.filters_by_score:
            return self._sort(query.sort, matches & ~query.blinded)
        if query.sort not in SORTED_BY_SCORE:
            return self._sort(query.sort, matches)
        return np.concatenate(
            [self._sort(query.sort, matches & ~query.blinded), self._sort("sku", matches & query.blinded)]
        )

    def _sort(self, sort: str, mask: NDArray[np.bool_] | None) -> Numbers:
        if sort == "risk":
            return np.arange(len(self)) if mask is None else np.flatnonzero(mask)
        order = self._orders[sort]
        return order if mask is None else order[mask[order]]

    def sort_by_name(self, mask: NDArray[np.bool_]) -> Numbers:
        """The numbers of the SKUs in `mask`, by name."""
        return self._sort("sku", mask)

    def column(self, name: str) -> Any:
        """One of COLUMNS, an array by number."""
        return self._columns[name]

    def in_bands(self, names: Collection[str]) -> NDArray[np.bool_]:
        """Mask by number of the SKUs in these bands."""
        return np.isin(self._columns["band"], [number for number, name in enumerate(self.bands) if name in names])

    def blind_cases(
        self, policy: DecisionPolicy, snapshot: Snapshot, flagged_bands: Collection[str]
    ) -> NDArray[np.bool_]:
        """Mask by number of the cases that the policy samples for a blind assessment; `snapshot` is the scored one."""
        if policy.version != self._content.draw_policy and policy.version not in self._sampled_by_version:
            position, flagged = self._columns["position"], np.zeros(len(self), dtype=bool)
            flagged[position] = self.in_bands(flagged_bands)
            self._sampled_by_version[policy.version] = draw_cases(snapshot, flagged, policy)[position]
        return np.asarray(self._sampled_by_version.get(policy.version, self._columns["drawn"]))

    def numbers_of(self, positions: NDArray[np.int64]) -> Numbers:
        """The numbers of the rows of the snapshot at `positions`, riskiest first."""
        return np.flatnonzero(np.isin(self._columns["position"], positions))

    def positions(self, numbers: Numbers) -> NDArray[np.int64]:
        """The positions of these SKUs in the snapshot."""
        return np.asarray(self._columns["position"][numbers], dtype=np.int64)

    def entries(self, numbers: Numbers) -> list[QueueEntry]:
        """The entries of these SKUs, in order."""
        values = {name: column[numbers] for name, column in self._columns.items()}
        texts = self._texts.take(pa.array(numbers, pa.int64()))
        suppliers = self._suppliers.take(pa.array(values["supplier"], pa.int64())).to_pylist()
        content = self._content
        return [
            QueueEntry(
                position=int(values["position"][row]), rank=int(number) + 1, sku_id=sku_id, title=title,
                market=content.markets[values["market"][row]], supplier_id=suppliers[row],
                category=content.categories[values["category"][row]], p_fail=float(values["p_fail"][row]),
                p_low=float(values["p_low"][row]), p_high=float(values["p_high"][row]),
                band=content.bands[values["band"][row]], level=int(values["band"][row]),
                units_90=int(values["units_90"][row]), days_since_test=_days(values["days_since_test"][row]),
                evidence=QueueEvidence(int(values["evidence"][row])), **_harm(values, row, content.hazards),
            )
            for row, (number, sku_id, title) in enumerate(
                zip(numbers, texts["sku_id"].to_pylist(), texts["title"].to_pylist(), strict=True)
            )
        ]  # fmt: skip

    def _matches(self, query: QueueQuery) -> NDArray[np.bool_] | None:
        """Mask by number of the SKUs that match, whatever is blinded; None for all."""
        masks = [
            *self._name_masks("band", query.bands, self.bands),
            *self._name_masks("market", query.markets, self.markets),
            *self._name_masks("category", query.categories, self.categories),
        ]  # fmt: skip
        if query.supplier:
            masks.append(np.isin(self._columns["supplier"], self.supplier_numbers([query.supplier])))
        if query.evidence:
            masks.append((self._columns["evidence"] & query.evidence) == query.evidence)
        if query.never_tested:
            masks.append(np.isnan(self._columns["days_since_test"]))
        if query.among is not None:
            among = np.zeros(len(self), dtype=bool)
            among[query.among[(query.among >= 0) & (query.among < len(self))]] = True
            masks.append(among[self._columns["position"]])
        mask = np.logical_and.reduce(masks) if masks else None
        return self._search(query.words, mask)

    def _name_masks(self, column: str, chosen: Sequence[str], names: Sequence[str]) -> list[NDArray[np.bool_]]:
        if not chosen:
            return []
        is_chosen = np.array([name in chosen for name in names], dtype=bool)
        return [is_chosen[self._columns[column]]]

    def _search(self, words: Sequence[str], mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """The part of `mask` whose text has all the words; texts outside it are left unread where it is small."""
        if not words:
            return mask
        rows = np.arange(len(self)) if mask is None else np.flatnonzero(mask)
        texts = self._texts["found_by"]
        if len(rows) * 4 < len(self):
            texts = texts.take(pa.array(rows))
        else:
            rows = np.arange(len(self))
        for word in sorted(words, key=len, reverse=True):
            matches = _contains(texts, word.lower())
            rows, texts = rows[matches], texts.take(pa.array(np.flatnonzero(matches)))
        result = np.zeros(len(self), dtype=bool)
        result[rows] = True
        return result if mask is None else result & mask


def _contains(texts: pa.ChunkedArray, word: str) -> NDArray[np.bool_]:
    """Mask of the texts that contain the word; the chunks of the file are searched in parallel."""
    if not len(texts):
        return np.zeros(0, dtype=bool)
    with ThreadPoolExecutor(SEARCHERS) as pool:
        matches = pool.map(lambda chunk: np.asarray(pc.match_substring(chunk, word)), texts.chunks)
        return np.concatenate(list(matches))


def _harm(values: Mapping[str, Numbers], row: int, hazards: Sequence[str]) -> HarmFields:
    """The fields of an entry on what would fail; None where unknown."""
    hazard, level = int(values["hazard"][row]), int(values["risk_level"][row])
    if hazard == UNKNOWN:
        return {"hazard": None, "hazard_share": None, "risk_level": None}
    share = float(values["hazard_share"][row])
    return {"hazard": hazards[hazard], "hazard_share": share, "risk_level": LEVELS[level]}


def _days(days: float) -> int | None:
    return None if np.isnan(days) else int(days)
