"""The features of one kind of entity on disk: an uncompressed Arrow IPC file, memory-mapped, a row per entity."""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.errors import UserError

FEATURES = "features"
LINKS = "links"
NO_ROW = -1


class Piece(NamedTuple):
    """Some rows of an entity file: text columns, float64 features (rows, features), int32 links (rows, files)."""

    texts: pa.Table
    features: NDArray[np.float64]
    links: NDArray[np.int32]


class EntityFile:
    """Reads rows by number without loading the file: text columns, features, links to rows of other files.

    Features (float64, NaN = missing) and links (int32, -1 = none) lie row after row, so that a look-up touches
    one page of the file. A file cut short is refused.
    """

    def __init__(self, path: Path) -> None:
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(path)))
            self._batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError(f"{path} cannot be read: {error}. Write it again with `touchstone score`.") from error
        self._table = pa.Table.from_batches(self._batches, reader.schema)
        self._starts = np.cumsum([0, *(batch.num_rows for batch in self._batches)])
        self._first: list[int] = self._starts.tolist()
        self._texts = {name: [batch[name] for batch in self._batches] for name in reader.schema.names}
        self._features = [_block(batch, FEATURES, np.float64) for batch in self._batches]
        self._links = [_block(batch, LINKS, np.int32) for batch in self._batches]

    def __len__(self) -> int:
        return int(self._starts[-1])

    def columns(self, names: Sequence[str], start: int, stop: int) -> pa.Table:
        """The text columns `names` of rows start..stop."""
        return self._table.select(list(names)).slice(start, max(stop - start, 0))

    def text(self, name: str, row: int) -> str | None:
        """One value of a text column."""
        # Asked thirty times for a question of ten SKUs; numpy takes ten times as long for a single number.
        batch = bisect_right(self._first, row) - 1
        value: str | None = self._texts[name][batch][row - self._first[batch]].as_py()
        return value

    def features(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """The features of `rows`, (len(rows), features); those of row -1 are all missing."""
        gathered = np.full((len(rows), self._features[0].shape[1]), np.nan)
        for chosen, batch, within in self._places(rows):
            gathered[chosen] = self._features[batch][within]
        return gathered

    def feature(self, column: int, rows: NDArray[np.int32] | None = None) -> NDArray[np.float64]:
        """One feature of `rows` (NaN for row -1), or of all rows."""
        values = np.concatenate([block[:, column] for block in self._features])
        return values if rows is None else np.append(values, np.nan)[rows]

    def link(self, column: int) -> NDArray[np.int32]:
        """The row of every row in one linked file, -1 where it has none."""
        return np.concatenate([block[:, column] for block in self._links])

    def links(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
        """The row numbers in the linked files, (len(rows), linked files)."""
        gathered = np.full((len(rows), self._links[0].shape[1]), NO_ROW, dtype=np.int32)
        for chosen, batch, within in self._places(rows):
            gathered[chosen] = self._links[batch][within]
        return gathered

    def _places(
        self, rows: NDArray[np.integer[Any]]
    ) -> Iterable[tuple[NDArray[np.integer[Any]], int, NDArray[np.integer[Any]]]]:
        """Which of `rows` lie in which batch, and where within it."""
        after = self._starts.searchsorted(rows, side="right")  # 0 where there is no row
        for batch in np.bincount(after)[1:].nonzero()[0].tolist():
            chosen = (after == batch + 1).nonzero()[0]
            yield chosen, batch, rows[chosen] - self._first[batch]


def _block(batch: pa.RecordBatch, name: str, dtype: type[np.generic]) -> NDArray[Any]:
    """A fixed-size list column as a matrix that shares the file's memory; no columns where the file has none."""
    if name not in batch.schema.names:
        return np.empty((batch.num_rows, 0), dtype=dtype)
    column = batch[name]
    block: NDArray[Any] = column.values.to_numpy().reshape(batch.num_rows, column.type.list_size)
    return block


def write_entity_file(path: Path, pieces: Iterable[Piece]) -> None:
    """Write each piece as one record batch; at least one must come, be it empty, for it fixes the columns."""
    writer = None
    try:
        for piece in pieces:
            record = _record(piece)
            writer = writer or pa.ipc.new_file(str(path), record.schema)
            writer.write_batch(record)
    finally:
        if writer is not None:
            writer.close()


def _record(piece: Piece) -> pa.RecordBatch:
    columns = {name: piece.texts[name].combine_chunks().cast(pa.string()) for name in piece.texts.column_names}
    for name, block in ((FEATURES, piece.features), (LINKS, piece.links)):
        if block.shape[1]:  # Arrow divides by the length of a list and dies on 0
            flat = pa.array(np.ascontiguousarray(block).ravel())
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, block.shape[1])
    return pa.RecordBatch.from_pydict(columns)


Key = tuple[str, ...]


class EntityIndex:
    """Finds rows of an entity file whose text columns `names` are sorted by their code points."""

    def __init__(self, file: EntityFile, names: tuple[str, ...]) -> None:
        self._file, self._names = file, names

    def find(self, key: Key) -> int:
        """The row of `key`, -1 where there is none; some 20 probes in a million."""
        low, high = 0, len(self._file)
        while low < high:
            middle = (low + high) // 2
            if self._at(middle) < key:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self._file) and self._at(low) == key else NO_ROW

    def _at(self, row: int) -> Key:
        return tuple(self._file.text(name, row) or "" for name in self._names)


HASHES_FILE = "sku_index_hash.npy"
ROWS_FILE = "sku_index_row.npy"
BETWEEN = "\x1f"


def key_hash(sku_id: str, market: str) -> int:
    """The lower 64 bits of the MD5 of both texts; a key, not a safeguard."""
    digest = hashlib.md5(f"{sku_id}{BETWEEN}{market}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little")


def write_key_index(folder: Path, hashes: NDArray[np.uint64]) -> None:
    """Index the keys of all rows, given by their `key_hash` in row order."""
    order = np.argsort(hashes, kind="stable")
    np.save(folder / HASHES_FILE, hashes[order])
    np.save(folder / ROWS_FILE, order)


class KeyIndex:
    """Finds rows by key without loading the index.

    `is_at(row, sku_id, market)` says whether the key really stands there: two keys may share a hash.
    """

    def __init__(self, folder: Path, is_at: Callable[[int, str, str], bool]) -> None:
        try:
            self._hashes, self._rows = _mapped(folder / HASHES_FILE), _mapped(folder / ROWS_FILE)
        except (OSError, EOFError, ValueError) as error:
            raise UserError(
                f"The index in {folder} cannot be read: {error}. Write it again with `touchstone score`."
            ) from error
        self._is_at = is_at

    def find(self, sku_ids: Sequence[str], markets: Sequence[str]) -> NDArray[np.int64]:
        """The row of each key, -1 where the catalogue has none; about 24 probes a key in ten million."""
        hashes = np.array([key_hash(*key) for key in zip(sku_ids, markets, strict=True)], dtype=np.uint64)
        places = np.searchsorted(self._hashes, hashes)
        found = np.full(len(hashes), NO_ROW, dtype=np.int64)
        for number, place in enumerate(places.tolist()):
            found[number] = self._row(place, hashes[number], sku_ids[number], markets[number])
        return found

    def _row(self, place: int, wanted: np.uint64, sku_id: str, market: str) -> int:
        while place < len(self._hashes) and self._hashes[place] == wanted:
            row = int(self._rows[place])
            if self._is_at(row, sku_id, market):
                return row
            place += 1
        return NO_ROW


def _mapped(path: Path) -> NDArray[Any]:
    """A file of numbers, mapped; as a plain array, because `numpy.memmap` is slow to give a single number."""
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
