"""Rows that belong to numbered owners, on disk: an uncompressed Arrow IPC file sorted by owner, memory-mapped."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data.errors import Refusal

OWNER = "owner"
Row = dict[str, Any]


class OwnedRows:
    """Finds the rows of one owner by binary search; a look-up touches a few pages of the file, however long it is."""

    def __init__(self, path: Path) -> None:
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(path)))
            batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        except (OSError, pa.ArrowInvalid) as error:
            raise Refusal(f"{path} cannot be read: {error}. Write it again with `touchstone score`.") from error
        self._schema = reader.schema
        self._batches = [batch for batch in batches if batch.num_rows]
        self._owners = [batch[OWNER].to_numpy() for batch in self._batches]
        self._lasts = [int(owners[-1]) for owners in self._owners]

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of all rows, by owner."""
        return pa.Table.from_batches(self._batches, self._schema)[name]

    def columns(self, names: Sequence[str]) -> pa.Table:
        """These columns of all rows, by owner."""
        return pa.Table.from_batches(self._batches, self._schema).select(list(names))

    def of(self, owner: int) -> list[Row]:
        """The rows of `owner` in the order in which they were written."""
        found: list[Row] = []
        for number in range(bisect_left(self._lasts, owner), len(self._lasts)):
            owners = self._owners[number]
            first, last = np.searchsorted(owners, (owner, owner + 1))
            if first == last:
                break
            found += self._batches[number].slice(first, last - first).to_pylist()
            if last < len(owners):
                break
        return found


def write_owned_rows(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write `batches`, sorted by their int32 column `owner`, in the types of `schema`."""
    with pa.ipc.new_file(str(path), schema) as writer:
        for batch in batches:
            if batch.num_rows:
                writer.write_batch(batch.select(schema.names).cast(schema))
