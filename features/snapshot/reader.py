"""The features of the whole catalogue on one day, read from memory-mapped files without any database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.manifest import StatementFile, Sums, file_sum, require_unchanged
from features.definition import KEYS, Entity
from features.snapshot.storage import HASHES_FILE, ROWS_FILE, EntityFile, EntityIndex, KeyIndex

STATEMENT = StatementFile("snapshot.json", "snapshot", 2)
SKU: Final = "sku"
KEY_COLUMNS = ("sku_id", "market", "supplier_id", "category")


@dataclass(frozen=True)
class SnapshotStatement:
    """What `snapshot.json` says of a snapshot; it is written last, so a snapshot without it is half-written.

    `entities` holds the feature names of each file in the order of their columns, the SKU file first and the
    others in the order of its links; `unseen` what each feature is for an entity without any event, None = unknown;
    `files` the sum of every file.
    """

    as_of: date
    feature_version: str
    fingerprint: str
    reference_digest: str
    rows: int
    feature_names: tuple[str, ...]
    entities: Mapping[Entity, tuple[str, ...]]
    unseen: Mapping[str, float | None]
    files: Sums

    def write(self, folder: Path) -> None:
        """Write `snapshot.json` into `folder`."""
        STATEMENT.write(folder, {**vars(self), "as_of": self.as_of.isoformat()}, self.files)


def file_names(entities: Sequence[str]) -> tuple[str, ...]:
    """Every file of a snapshot but `snapshot.json`."""
    return (*(f"{name}.arrow" for name in entities), HASHES_FILE, ROWS_FILE)


class Snapshot:
    """One row per (sku_id, market) of the catalogue, sorted by both; a row number is a position."""

    def __init__(self, folder: Path, digest: str | None = None) -> None:
        self.folder = folder
        self._statement = _read_statement(folder, digest)
        files = {name: EntityFile(folder / f"{name}.arrow") for name in self._statement.entities}
        self._skus = files.pop(SKU)
        self._linked = tuple(files.values())
        self._entities = {entity: EntityIndex(file, KEYS[entity]) for entity, file in files.items()}
        place = {name: number for number, name in enumerate(self._statement.feature_names)}
        self._places = [np.array([place[name] for name in names], dtype=np.intp)
                        for names in self._statement.entities.values()]  # fmt: skip
        # Not a method of this snapshot: in a cycle, the mapped files would outlive their last use.
        self._index = KeyIndex(folder, partial(_is_at, self._skus))

    def __len__(self) -> int:
        return self._statement.rows

    @property
    def as_of(self) -> date:
        """The day: nothing known on it or later is in here."""
        return self._statement.as_of

    @property
    def digest(self) -> str:
        """The SHA-256 of `snapshot.json`, which holds the sum of every other file."""
        return file_sum(self.folder / STATEMENT.name).sha256

    @property
    def feature_version(self) -> str:
        """The version of the feature catalogue."""
        return self._statement.feature_version

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns of the matrix."""
        return self._statement.feature_names

    @property
    def fingerprint(self) -> str:
        """The content of the lake that it was computed from."""
        return self._statement.fingerprint

    @property
    def reference_digest(self) -> str:
        """The learned tables that it was computed with."""
        return self._statement.reference_digest

    def keys(self, start: int, stop: int) -> pa.Table:
        """sku_id, market, supplier_id and category of the rows start..stop."""
        return self._skus.columns(KEY_COLUMNS, start, min(stop, len(self)))

    def category(self, position: int) -> str:
        """The category of one row."""
        return str(self._skus.text("category", position))

    def matrix(self, start: int, stop: int) -> NDArray[np.float64]:
        """The features of the rows start..stop, C order, (rows, feature_names), NaN = missing."""
        return self.matrix_at(np.arange(start, min(stop, len(self)), dtype=np.int64))

    def matrix_at(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """The features of the rows at `positions`, which must all exist; -1 (unknown) raises IndexError."""
        if len(positions) and not (positions.min() >= 0 and positions.max() < len(self)):
            raise IndexError(f"Positions run from 0 to {len(self) - 1}, got {positions.min()} to {positions.max()}.")
        matrix = np.empty((len(positions), len(self.feature_names)))
        matrix[:, self._places[0]] = self._skus.features(positions)
        links = self._skus.links(positions)
        for number, linked in enumerate(self._linked):
            matrix[:, self._places[number + 1]] = linked.features(links[:, number])
        return matrix

    def newcomer(self, keys: Mapping[Entity, tuple[str, ...]]) -> NDArray[np.float64]:
        """The features of a listing that the catalogue does not hold, (feature_names,), NaN = missing.

        `keys` names its supplier, category and so on by their `features.definition.KEYS`. An entity that the catalogue
        knows says what it says of its other SKUs, one that it does not know and the SKU itself what an entity without
        any event says; what is told of the listing itself, and of entities not named, is missing.
        """
        unseen = np.array([self._statement.unseen[name] for name in self.feature_names], dtype=np.float64)
        row = np.full(len(self.feature_names), np.nan)
        row[self._places[0]] = unseen[self._places[0]]
        for (entity, index), file, places in zip(self._entities.items(), self._linked, self._places[1:], strict=True):
            if entity in keys:
                found = index.find(keys[entity])
                row[places] = unseen[places] if found < 0 else file.features(np.array([found]))[0]
        return row

    def feature(self, name: str) -> NDArray[np.float64]:
        """One feature of every row, NaN = missing; all missing where the snapshot has no such feature."""
        for number, names in enumerate(self._statement.entities.values()):
            if name in names:
                file = self._skus if number == 0 else self._linked[number - 1]
                return file.feature(names.index(name), None if number == 0 else self._skus.link(number - 1))
        return np.full(len(self), np.nan)

    def find(self, sku_ids: Sequence[str], markets: Sequence[str]) -> NDArray[np.int64]:
        """The position of each (sku_id, market), -1 where the catalogue has none."""
        return self._index.find(sku_ids, markets)


def _is_at(skus: EntityFile, row: int, sku_id: str, market: str) -> bool:
    return skus.text("sku_id", row) == sku_id and skus.text("market", row) == market


def open_snapshot(folder: Path, digest: str | None = None) -> Snapshot:
    """The snapshot in `folder`, the one of this `digest` where one is given.

    Raises UserError where it is absent, half-written, cut short, of another format or another digest.
    """
    return Snapshot(folder, digest)


def verify_snapshot(folder: Path) -> None:
    """Raise UserError unless every file of the snapshot in `folder` is the one that was written; reads all of them."""
    require_unchanged(folder, _read_statement(folder).files)


def _read_statement(folder: Path, digest: str | None = None) -> SnapshotStatement:
    return STATEMENT.read(folder, _statement, digest)


def _statement(record: dict[str, Any], files: Sums) -> SnapshotStatement:
    read = {
        "as_of": date.fromisoformat(record["as_of"]), "feature_names": tuple(record["feature_names"]),
        "entities": {name: tuple(features) for name, features in record["entities"].items()}, "files": files,
    }  # fmt: skip
    return SnapshotStatement(**{**record, **read})
