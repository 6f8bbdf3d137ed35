"""The features of one kind of entity on disk: an uncompressed Arrow IPC file, memory-mapped, a row per entity."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.errors import Refusal

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
            raise Refusal(f"{path} cannot be read: {error}. Write it again with `touchstone score`.") from error
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
