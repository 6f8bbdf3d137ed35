"""The features of the whole catalogue on one day, read from memory-mapped files without any database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.manifest import Manifest
from features.definition import KEYS, Entity
from features.snapshot.storage import HashIndex, MemoryMappedTable

SKU: Final = "sku"
KEY_COLUMNS = ("sku_id", "market", "supplier_id", "category")
INDEX_FILE = "sku_index.arrow"
FEATURES, LINKS = "features", "links"
"""Vector columns: features (NaN = missing), and rows of the other entities' files (-1 = none)."""


@dataclass(frozen=True)
class SnapshotContent:
    """Content of a snapshot's manifest.

    `entities` holds the feature names of each file in the order of their columns, the SKU file first and the
    others in the order of its links; `unseen` what each feature is for an entity without any event, None = unknown.
    """

    as_of: date
    feature_version: str
    fingerprint: str
    reference_digest: str
    rows: int
    feature_names: tuple[str, ...]
    entities: Mapping[Entity, tuple[str, ...]]
    unseen: Mapping[str, float | None]


MANIFEST = Manifest("snapshot.json", "snapshot", 4, SnapshotContent)


class Snapshot:
    """One row per (sku_id, market) of the catalogue, sorted by both; a row number is a position."""

    def __init__(self, folder: Path, digest: str | None = None) -> None:
        self.folder = folder
        self._content = MANIFEST.read(folder, digest)
        self._linked = {entity: MemoryMappedTable(folder / f"{entity}.arrow") for entity in self._content.entities}
        self._skus = self._linked.pop(SKU)
        position = {name: number for number, name in enumerate(self._content.feature_names)}
        self._columns = [np.array([position[name] for name in names], dtype=np.intp)
                        for names in self._content.entities.values()]  # fmt: skip
        self._index = HashIndex(folder / INDEX_FILE, self._skus, ("sku_id", "market"))

    def __len__(self) -> int:
        return self._content.rows

    @property
    def as_of(self) -> date:
        """The day: nothing known on it or later is in here."""
        return self._content.as_of

    @property
    def digest(self) -> str:
        """The SHA-256 of `snapshot.json`, which holds the sum of every other file."""
        return MANIFEST.digest(self.folder)

    @property
    def feature_version(self) -> str:
        """The version of the feature catalogue."""
        return self._content.feature_version

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns of the matrix."""
        return self._content.feature_names

    @property
    def fingerprint(self) -> str:
        """The content of the lake that it was computed from."""
        return self._content.fingerprint

    @property
    def reference_digest(self) -> str:
        """The learned tables that it was computed with."""
        return self._content.reference_digest

    def keys(self, start: int, stop: int) -> pa.Table:
        """sku_id, market, supplier_id and category of the rows start..stop."""
        return self._skus.columns(KEY_COLUMNS, start, min(stop, len(self)))

    def position_from(self, sku_id: str, market: str) -> int:
        """The position of the first row that is not before this key."""
        return self._skus.lower_bound(("sku_id", "market"), (sku_id, market))

    def category(self, position: int) -> str:
        """The category of one row."""
        return str(self._skus.value("category", position))

    def market(self, position: int) -> str:
        """The market of one row."""
        return str(self._skus.value("market", position))

    def supplier(self, position: int) -> str:
        """The supplier of one row."""
        return str(self._skus.value("supplier_id", position))

    def matrix(self, start: int, stop: int) -> NDArray[np.float64]:
        """The features of the rows start..stop, C order, (rows, feature_names), NaN = missing."""
        return self.matrix_at(np.arange(start, min(stop, len(self)), dtype=np.int64))

    def matrix_at(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """The features of the rows at `positions`, which must all exist; -1 (unknown) raises IndexError."""
        if len(positions) and not (positions.min() >= 0 and positions.max() < len(self)):
            raise IndexError(f"Positions run from 0 to {len(self) - 1}, got {positions.min()} to {positions.max()}.")
        matrix = np.empty((len(positions), len(self.feature_names)))
        matrix[:, self._columns[0]] = self._skus.vectors(FEATURES, positions)
        links = self._skus.vectors(LINKS, positions)
        for number, linked in enumerate(self._linked.values()):
            matrix[:, self._columns[number + 1]] = linked.vectors(FEATURES, links[:, number])
        return matrix

    def new_listing_features(self, keys: Mapping[Entity, tuple[str, ...]]) -> NDArray[np.float64]:
        """The features of a listing that the catalogue does not hold, (feature_names,), NaN = missing.

        `keys` names its supplier, category and so on by their `features.definition.KEYS`. An entity that the catalogue
        knows says what it says of its other SKUs, one that it does not know and the SKU itself what an entity without
        any event says; features of the listing itself, and of entities not named, are missing.
        """
        unseen = np.array([self._content.unseen[name] for name in self.feature_names], dtype=np.float64)
        row = np.full(len(self.feature_names), np.nan)
        row[self._columns[0]] = unseen[self._columns[0]]
        for (entity, table), columns in zip(self._linked.items(), self._columns[1:], strict=True):
            if entity in keys:
                at = table.find(KEYS[entity], keys[entity])
                row[columns] = unseen[columns] if at < 0 else table.vectors(FEATURES, np.array([at]))[0]
        return row

    def feature(self, name: str) -> NDArray[np.float64]:
        """One feature of every row, NaN = missing; all missing where the snapshot has no such feature."""
        for number, (entity, names) in enumerate(self._content.entities.items()):
            if name in names:
                values = self._linked.get(entity, self._skus).component(FEATURES, names.index(name))
                return values if entity == SKU else np.append(values, np.nan)[self._skus.component(LINKS, number - 1)]
        return np.full(len(self), np.nan)

    def find(self, sku_ids: Sequence[str], markets: Sequence[str]) -> NDArray[np.int64]:
        """The position of each (sku_id, market), -1 where the catalogue has none."""
        return self._index.find(sku_ids, markets)


def open_snapshot(folder: Path, digest: str | None = None) -> Snapshot:
    """The snapshot in `folder`, the one of this `digest` where one is given.

    Raises UserError where it is absent, half-written, cut short, of another format or another digest.
    """
    return Snapshot(folder, digest)


def verify_snapshot(folder: Path) -> None:
    """Raise UserError unless every file of the snapshot in `folder` is the one that was written; reads all of them."""
    MANIFEST.verify(folder)
