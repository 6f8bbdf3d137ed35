"""A queue on disk, memory-mapped: found in milliseconds among millions of SKUs."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data.errors import UserError
from features.snapshot.reader import Snapshot
from features.snapshot.storage import MemoryMappedTable
from serving.decisions.blind_assessment import draw_cases
from serving.decisions.policy import DecisionPolicy
from serving.review_queue.format import (
    COLUMNS,
    FEATURES,
    MANIFEST,
    NO_REASON,
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


@dataclass(frozen=True)
class Entry:
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
    reason: str | None
    reason_value: float
    band: str
    level: int
    units_90: int
    days_since_test: int | None
    evidence: QueueEvidence


class Queue:
    """Finds and tells the SKUs of one scored catalogue. Raises UserError where the folder is absent or broken."""

    def __init__(self, folder: Path) -> None:
        self._content = MANIFEST.read(folder)
        self._folder = folder
        self._drawn_anew: dict[str, NDArray[np.bool_]] = {}
        self._columns = {name: self._array(name).view(dtype) for name, dtype in COLUMNS.items()}
        self._orders = {name: self._array(f"order_{name}") for name in ORDERS}
        self._texts = MemoryMappedTable(folder / TEXTS).columns(TEXT_SCHEMA.names)
        self._suppliers = MemoryMappedTable(folder / SUPPLIERS).columns(["supplier_id"])["supplier_id"]

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

    @cached_property
    def band_sizes(self) -> tuple[int, ...]:
        """How many SKUs each band holds."""
        return tuple(np.bincount(self._columns["band"], minlength=len(self.bands)).tolist())

    def find(self, wanted: QueueQuery) -> Numbers:
        """The numbers (rank - 1) of the wanted SKUs, in the wanted order."""
        kept = self._kept(wanted)
        if wanted.sort not in SORTS:
            raise UserError(f"The queue cannot be sorted by {wanted.sort!r}. Choose {', '.join(SORTS)}.")
        if wanted.veiled is None or not wanted.veiled.any():
            return self._sorted(wanted.sort, kept)
        kept = np.ones(len(self), dtype=bool) if kept is None else kept
        if wanted.asks_of_score:
            return self._sorted(wanted.sort, kept & ~wanted.veiled)
        if wanted.sort not in SORTED_BY_SCORE:
            return self._sorted(wanted.sort, kept)
        told, veiled = (self._sorted(wanted.sort, kept & ~wanted.veiled), self._sorted("sku", kept & wanted.veiled))
        return np.concatenate([told, veiled])

    def _sorted(self, sort: str, kept: NDArray[np.bool_] | None) -> Numbers:
        if sort == "risk":
            return np.arange(len(self)) if kept is None else np.flatnonzero(kept)
        order = self._orders[sort]
        return order if kept is None else order[kept[order]]

    def by_name(self, kept: NDArray[np.bool_]) -> Numbers:
        """The numbers of the SKUs that are kept, by name."""
        return self._sorted("sku", kept)

    def column(self, name: str) -> Any:
        """One of COLUMNS, an array by number."""
        return self._columns[name]

    def drawn(self, policy: DecisionPolicy, snapshot: Snapshot) -> NDArray[np.bool_]:
        """Which cases ask for an own estimate by the policy, by number; `snapshot` is the one that was scored."""
        if policy.version != self._content.draw_policy and policy.version not in self._drawn_anew:
            self._drawn_anew[policy.version] = draw_cases(snapshot, policy)[self._columns["position"]]
        return np.asarray(self._drawn_anew.get(policy.version, self._columns["drawn"]))

    def numbers_of(self, positions: NDArray[np.int64]) -> Numbers:
        """The numbers of the rows of the snapshot at `positions`, riskiest first."""
        return np.flatnonzero(np.isin(self._columns["position"], positions))

    def positions(self, numbers: Numbers) -> NDArray[np.int64]:
        """Where these SKUs stand in the snapshot."""
        return np.asarray(self._columns["position"][numbers], dtype=np.int64)

    def entries(self, numbers: Numbers) -> list[Entry]:
        """What the queue says of these SKUs."""
        told = {name: column[numbers] for name, column in self._columns.items()}
        texts = self._texts.take(pa.array(numbers, pa.int64()))
        suppliers = self._suppliers.take(pa.array(told["supplier"], pa.int64())).to_pylist()
        content = self._content
        return [
            Entry(
                position=int(told["position"][row]), rank=int(number) + 1, sku_id=sku_id, title=title,
                market=content.markets[told["market"][row]], supplier_id=suppliers[row],
                category=content.categories[told["category"][row]], p_fail=float(told["p_fail"][row]),
                p_low=float(told["p_low"][row]), p_high=float(told["p_high"][row]),
                reason=_feature(told["reason"][row]), reason_value=float(told["reason_value"][row]),
                band=content.bands[told["band"][row]], level=int(told["band"][row]),
                units_90=int(told["units_90"][row]), days_since_test=_days(told["days_since_test"][row]),
                evidence=QueueEvidence(int(told["evidence"][row])),
            )
            for row, (number, sku_id, title) in enumerate(
                zip(numbers, texts["sku_id"].to_pylist(), texts["title"].to_pylist(), strict=True)
            )
        ]  # fmt: skip

    def _kept(self, wanted: QueueQuery) -> NDArray[np.bool_] | None:
        """Which SKUs are wanted, in the order of rank; None for all."""
        masks = [
            *self._of_name("band", wanted.bands, self.bands), *self._of_name("market", wanted.markets, self.markets),
            *self._of_name("category", wanted.categories, self.categories),
        ]  # fmt: skip
        if wanted.supplier:
            number = pc.index(self._suppliers, wanted.supplier).as_py()
            masks.append(self._columns["supplier"] == number)
        if wanted.evidence:
            masks.append((self._columns["evidence"] & wanted.evidence) == wanted.evidence)
        if wanted.never_tested:
            masks.append(np.isnan(self._columns["days_since_test"]))
        if wanted.among is not None:
            among = np.zeros(len(self), dtype=bool)
            among[wanted.among[(wanted.among >= 0) & (wanted.among < len(self))]] = True
            masks.append(among[self._columns["position"]])
        kept = np.logical_and.reduce(masks) if masks else None
        return self._with_words(wanted.words, kept)

    def _of_name(self, column: str, asked: Sequence[str], names: Sequence[str]) -> list[NDArray[np.bool_]]:
        if not asked:
            return []
        chosen = np.array([name in asked for name in names], dtype=bool)
        return [chosen[self._columns[column]]]

    def _with_words(self, words: Sequence[str], kept: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Searches only where the other filters leave something."""
        if not words:
            return kept
        rows = np.arange(len(self)) if kept is None else np.flatnonzero(kept)
        sought = self._texts["found_by"]
        if len(rows) * 4 < len(self):
            sought = sought.take(pa.array(rows))
        else:
            rows = np.arange(len(self))
        for word in sorted(words, key=len, reverse=True):
            there = _holding(sought, word.lower())
            rows, sought = rows[there], sought.take(pa.array(np.flatnonzero(there)))
        found = np.zeros(len(self), dtype=bool)
        found[rows] = True
        return found if kept is None else found & kept


def _holding(texts: pa.ChunkedArray, word: str) -> NDArray[np.bool_]:
    """Which texts hold the word; the pieces of the file are searched side by side."""
    if not len(texts):
        return np.zeros(0, dtype=bool)
    with ThreadPoolExecutor(SEARCHERS) as pool:
        found = pool.map(lambda piece: np.asarray(pc.match_substring(piece, word)), texts.chunks)
        return np.concatenate(list(found))


def _feature(number: int) -> str | None:
    return None if number == NO_REASON else FEATURES[number]


def _days(days: float) -> int | None:
    return None if np.isnan(days) else int(days)
