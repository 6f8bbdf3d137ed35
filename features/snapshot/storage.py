"""Tables on disk, looked up without loading them: uncompressed Arrow IPC files, memory-mapped."""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.errors import UserError

NO_ROW = -1
BETWEEN = "\x1f"
HASH, ROW = "hash", "row"
CODES_OF = "_codes"
"""Ends the name of the column of codes of a coded vector column."""
MOST_CODES = 2**16
Row = dict[str, Any]
Numbers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class CodedVectors:
    """Vectors of one batch as codes, (rows, numbers of a vector), of its distinct `values`; indexed as their matrix."""

    codes: NDArray[np.uint16]
    values: NDArray[np.float64]

    def __getitem__(self, at: Any) -> NDArray[np.float64]:
        """Those of the rows, or of the rows and columns, at `at`."""
        numbers: NDArray[np.float64] = self.values[self.codes[at]]
        return numbers

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, and numbers of a vector."""
        return self.codes.shape

    @property
    def dtype(self) -> np.dtype[np.float64]:
        """The type of the numbers."""
        return self.values.dtype


Block = NDArray[Any] | CodedVectors
"""A column of one batch."""


class MemoryMappedTable:
    """A table of texts, numbers and vectors by row number; a look-up touches a few pages of the file, however long.

    A vector column (fixed-size lists, or codes of `coded_rows`) keeps the numbers of a row side by side. Raises
    UserError where the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(path)))
            batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError(f"{path} cannot be read: {error}. Write it again with `touchstone score`.") from error
        self._schema = reader.schema
        self.batches: list[pa.RecordBatch] = [batch for batch in batches if batch.num_rows]
        self._starts: list[int] = list(accumulate((batch.num_rows for batch in self.batches), initial=0))
        self._start_rows = np.array(self._starts)
        self._columns: dict[str, list[pa.Array]] = {}
        self._blocks: dict[str, list[Any]] = {}
        self._empties: dict[str, Block] = {}

    def __len__(self) -> int:
        return self._starts[-1]

    def columns(self, names: Sequence[str], start: int = 0, stop: int | None = None) -> pa.Table:
        """The columns `names` of the rows start..stop, of all rows where neither is given."""
        length = None if stop is None else max(stop - start, 0)
        return self._table.select(list(names)).slice(start, length)

    def value(self, name: str, row: int) -> Any:
        """One value of a column of texts or numbers, None where it is missing."""
        # Asked thirty times for a question of ten SKUs; numpy takes ten times as long for a single number.
        batch = bisect_right(self._starts, row) - 1
        column = self._columns.get(name) or self._column(name)
        return column[batch][row - self._starts[batch]].as_py()

    def array(self, name: str) -> NDArray[Any]:
        """A column of numbers, none of them missing, of all rows; the file's own memory where it is one batch."""
        arrays = self._arrays(name)
        return arrays[0] if len(arrays) == 1 else np.concatenate([self._empty(name), *arrays])

    def vectors(self, name: str, rows: Numbers) -> NDArray[Any]:
        """The vectors of `rows`, (len(rows), numbers of a vector); that of row -1 is all missing: NaN or -1.

        No numbers where the table has no such column.
        """
        blocks = self._arrays(name)
        gathered = self._missing(name, len(rows))
        after = self._start_rows.searchsorted(rows, side="right")  # 0 where there is no row
        for batch in np.bincount(after)[1:].nonzero()[0].tolist():
            chosen = (after == batch + 1).nonzero()[0]
            gathered[chosen] = blocks[batch][rows[chosen] - self._starts[batch]]
        return gathered

    def component(self, name: str, number: int) -> NDArray[Any]:
        """One number of the vectors of all rows."""
        parts: list[NDArray[Any]] = [block[:, number] for block in (self._empty(name), *self._arrays(name))]
        return np.concatenate(parts)

    def find(self, names: Sequence[str], key: Sequence[str]) -> int:
        """The row whose text columns `names` hold `key`, -1 where there is none; some 20 probes in a million.

        The table is sorted by these columns, by their code points.
        """
        row = self.lower_bound(names, key)
        return row if row < len(self) and self._key(names, row) == tuple(key) else NO_ROW

    def lower_bound(self, names: Sequence[str], key: Sequence[str]) -> int:
        """The first row whose text columns `names` are not before `key`; the table is sorted as for `find`."""
        return bisect_left(range(len(self)), tuple(key), key=lambda row: self._key(names, row))

    def rows_of(self, name: str, number: int) -> list[Row]:
        """The rows whose column `name` holds `number`, as they were written; the table is sorted by this column."""
        numbers, parts = self._arrays(name), []
        for batch in range(bisect_left(numbers, number, key=_last), len(numbers)):
            # In the type of the column: numpy would turn a whole column into that of a Python number.
            bounds = np.array((number, number + 1), numbers[batch].dtype)
            first, last = np.searchsorted(numbers[batch], bounds).tolist()
            if first == last:
                break
            parts += self.batches[batch].slice(first, last - first).to_pylist()
            if last < len(numbers[batch]):
                break
        return parts

    def rows_of_each(self, name: str, numbers: Iterable[int]) -> dict[int, list[Row]]:
        """The rows of `rows_of` for every one of many numbers that has any; each batch is read once."""
        wanted, rows = np.unique(np.fromiter(numbers, np.int64)), dict[int, list[Row]]()
        for batch, column in zip(self.batches, self._arrays(name) if len(wanted) else [], strict=False):
            bounds = wanted.astype(column.dtype)
            first, last = column.searchsorted(bounds[0]), column.searchsorted(bounds[-1], "right")
            chosen = first + np.isin(column[first:last], bounds).nonzero()[0]
            for number, row in zip(column[chosen].tolist(), batch.take(pa.array(chosen)).to_pylist(), strict=True):
                rows.setdefault(number, []).append(row)
        return rows

    @cached_property
    def _table(self) -> pa.Table:
        return pa.Table.from_batches(self.batches, self._schema)

    def _key(self, names: Sequence[str], row: int) -> tuple[str, ...]:
        return tuple(self.value(name, row) or "" for name in names)

    def _column(self, name: str) -> list[pa.Array]:
        return self._columns.setdefault(name, [batch[name] for batch in self.batches])

    def _arrays(self, name: str) -> list[Any]:
        """A column of numbers or vectors by batch, in the file's own memory."""
        return self._blocks.get(name) or self._blocks.setdefault(name, [_numbers(each, name) for each in self.batches])

    def _missing(self, name: str, rows: int) -> NDArray[Any]:
        empty = self._empty(name)
        return np.full((rows, empty.shape[1]), np.nan if empty.dtype.kind == "f" else NO_ROW, empty.dtype)

    def _empty(self, name: str) -> Any:
        """A column of numbers or vectors without rows. Not by Arrow's name of the type, for which it needs pandas."""
        if name not in self._empties:
            empty = [pa.array([], kind) for kind in self._schema.types]
            self._empties[name] = _numbers(pa.RecordBatch.from_arrays(empty, schema=self._schema), name)
        return self._empties[name]


def _last(numbers: NDArray[Any]) -> int:
    return int(numbers[-1])


def _numbers(batch: pa.RecordBatch, name: str) -> Block:
    """A column without missing values as an array, or as a matrix of vectors; no vectors where there is no column."""
    if name + CODES_OF in batch.schema.names:
        codes = _numbers(batch, name + CODES_OF)
        assert isinstance(codes, np.ndarray)
        return CodedVectors(codes, batch[name].values.to_numpy())
    if name not in batch.schema.names:
        return np.empty((batch.num_rows, 0))
    column = batch[name]
    if pa.types.is_fixed_size_list(column.type):
        block: NDArray[Any] = column.values.to_numpy().reshape(len(column), column.type.list_size)
        return block
    numbers: NDArray[Any] = column.to_numpy()
    return numbers


class HashIndex:
    """Where in a table the rows of given keys stand: the file of their sorted hashes; about 24 probes in ten million.

    Reads the key itself in the two text columns `names` of `table`, since two keys may share a hash.
    """

    def __init__(self, path: Path, table: MemoryMappedTable, names: Sequence[str]) -> None:
        index = MemoryMappedTable(path)
        self._hashes, self._rows = index.array(HASH), index.array(ROW)
        self._table, self._names = table, names

    def find(self, firsts: Sequence[str], seconds: Sequence[str]) -> NDArray[np.int64]:
        """The row of each key, whose two texts are given one by one; -1 where there is none."""
        keys = list(zip(firsts, seconds, strict=True))
        hashes = np.array([key_hash(*key) for key in keys], dtype=np.uint64)
        positions = np.searchsorted(self._hashes, hashes).tolist()
        return np.array([self._row(*each) for each in zip(positions, hashes, keys, strict=True)], dtype=np.int64)

    def _row(self, position: int, wanted: np.uint64, key: Sequence[str]) -> int:
        while position < len(self._hashes) and self._hashes[position] == wanted:
            row = int(self._rows[position])
            if [self._table.value(name, row) for name in self._names] == list(key):
                return row
            position += 1
        return NO_ROW


def key_hash(first: str, second: str) -> int:
    """The lower 64 bits of the MD5 of both texts; a key, not a safeguard."""
    digest = hashlib.md5(f"{first}{BETWEEN}{second}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little")


def write_hash_index(path: Path, hashes: NDArray[np.uint64]) -> None:
    """Write the file of a HashIndex of the keys of all rows, given by their `key_hash` in row order."""
    order = np.argsort(hashes, kind="stable")
    write_table(path, [pa.RecordBatch.from_pydict({HASH: hashes[order], ROW: order.astype(np.int64)})])


def write_table(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema | None = None) -> None:
    """Write `batches` in the types of `schema`, of the first batch where none is given; one must come then."""
    given = iter(batches)
    if schema is None:
        first = next(given)
        schema, given = first.schema, chain([first], given)
    with pa.ipc.new_file(str(path), schema) as writer:
        for batch in given:
            writer.write_batch(_clear_missing(batch.select(schema.names).cast(schema)))


def _clear_missing(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows with zeros behind missing values, where engines leave what was in memory."""
    rows = np.arange(len(batch))
    columns = [
        column.take(rows) if column.null_count and pa.types.is_primitive(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def vector_columns(**matrices: NDArray[Any]) -> dict[str, pa.Array]:
    """Matrices as vector columns of a record batch, a vector a row; one without columns is left out."""
    # Arrow divides by the length of a list and dies on 0.
    return {
        name: pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(matrix).ravel()), matrix.shape[1])
        for name, matrix in matrices.items()
        if matrix.shape[1]
    }


def coded_rows(columns: pa.RecordBatch, name: str, matrix: NDArray[np.float64]) -> Iterator[pa.RecordBatch]:
    """The rows of `columns` with `matrix`, (rows, numbers of a vector), as the coded vector column `name`.

    A batch holds its distinct numbers, bit for bit, once, in the list of its first row, and two bytes for each number
    of a row, where eight would stand; one with more of them than two bytes can tell apart is cut in two.
    """
    if not matrix.shape[1]:
        yield columns
        return
    # Column by column: the features come so, and two bytes are turned round in less time than eight.
    encoded = pa.array(np.ascontiguousarray(matrix.T).ravel().view(np.int64)).dictionary_encode()
    if len(encoded.dictionary) > MOST_CODES:
        middle = len(matrix) // 2
        yield from coded_rows(columns.slice(0, middle), name, matrix[:middle])
        yield from coded_rows(columns.slice(middle), name, matrix[middle:])
        return
    codes = encoded.indices.to_numpy().astype(np.uint16).reshape(matrix.shape[::-1]).T
    ends = np.full(len(matrix) + 1, len(encoded.dictionary), np.int32)
    ends[0] = 0
    values = pa.ListArray.from_arrays(pa.array(ends), encoded.dictionary.view(pa.float64()))
    coded = {name: values, **vector_columns(**{name + CODES_OF: codes})}
    yield pa.RecordBatch.from_pydict({**dict(zip(columns.schema.names, columns.columns, strict=True)), **coded})
