"""Rows that the service takes in between ingests, as Parquet files of the workspace: one a hand-in, many become one."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.contract_schema import Column
from data.workspace import replace_atomically

HAND_IN, COMPACTED = "r-*.parquet", "c-*.parquet"
_HAND_INS = b"hand_ins"
"""Key of the metadata of a compacted file: the names of the hand-ins that it holds, with a space between."""
MOST_FILES = 64
"""So many hand-ins have a file each before they are written into one."""
_ARROW = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "day": pa.date32(), "truth": pa.bool_()}


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """The Arrow schema of columns of the contract."""
    return pa.schema([(column.name, _ARROW[column.kind]) for column in columns])


@dataclass(frozen=True)
class HandInFiles:
    """The files of hand-ins in `folder`: rows of `schema`, each named once by its `key`."""

    folder: Path
    schema: pa.Schema
    key: tuple[str, ...]

    @property
    def order(self) -> list[tuple[str, str]]:
        """The key as an order of rows."""
        return [(name, "ascending") for name in self.key]

    def rows(self) -> pa.Table:
        """Every row, in the order of keys.

        While hand-ins are being compacted, a row may stand in two files; it is read once.
        """
        tables = self._read_whole()
        rows = pa.concat_tables([rows for _, rows in tables] or [self.schema.empty_table()])
        if len({name for names, _ in tables for name in names}) < sum(len(names) for names, _ in tables):
            rows = rows.group_by(list(self.key), use_threads=False).aggregate(
                [(name, "first") for name in self.schema.names if name not in self.key]
            )
            rows = rows.rename_columns([name.removesuffix("_first") for name in rows.column_names])
        return rows.select(self.schema.names).sort_by(self.order)

    def files(self) -> list[Path]:
        """The files, those of one hand-in each first: they go only once a compacted one holds them."""
        return [path for pattern in (HAND_IN, COMPACTED) for path in sorted(self.folder.glob(pattern))]

    def names(self) -> frozenset[str]:
        """The names of the hand-ins that files hold; each is a digest of its content."""
        return frozenset(name for names, _ in self._read_whole() for name in names)

    def digest(self) -> str:
        """Digest of the rows, empty where there are none; compacting does not change it."""
        names = "".join(f"{name}.parquet" for name in sorted(self.names()))
        return hashlib.sha256(names.encode()).hexdigest()[:12] if names else ""

    def write(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write the rows of one hand-in to its file. Raises OSError where the disk is full."""
        with replace_atomically(self.folder / f"r-{name}.parquet") as attempt:
            pq.write_table(pa.Table.from_pylist([*map(dict, rows)], schema=self.schema), attempt)

    def compact(self, most_files: int = MOST_FILES) -> None:
        """Where more than `most_files` hand-ins have a file each, write them into one and remove theirs.

        Until all of theirs are removed a reader finds rows twice and reads them once, so that an end in between, or a
        second process that does the same, loses nothing. Raises OSError where the disk is full.
        """
        small = sorted(self.folder.glob(HAND_IN))
        if len(small) <= most_files:
            return
        try:
            read = [_read_file(path, self.schema) for path in small]
        except FileNotFoundError:
            return  # another process compacts them
        names = " ".join(sorted(name for names, _ in read for name in names))
        rows = pa.concat_tables([rows for _, rows in read]).sort_by(self.order)
        rows = rows.replace_schema_metadata({_HAND_INS: names.encode()})
        digest = hashlib.sha256(names.encode()).hexdigest()[:12]
        with replace_atomically(self.folder / f"c-{digest}.parquet") as attempt:
            pq.write_table(rows, attempt, compression="zstd")
        for path in small:
            path.unlink(missing_ok=True)

    def _read_whole(self) -> list[tuple[tuple[str, ...], pa.Table]]:
        """The hand-ins and rows of every file of one moment: one that was compacted meanwhile is looked for again."""
        while True:
            try:
                return [_read_file(path, self.schema) for path in self.files()]
            except FileNotFoundError:
                continue


@lru_cache(maxsize=4_096)
def _read_file(path: Path, schema: pa.Schema) -> tuple[tuple[str, ...], pa.Table]:
    """The hand-ins and rows of one file, which never changes: a service asks for them at every hand-in."""
    metadata = pq.read_schema(path).metadata or {}
    hand_ins = metadata[_HAND_INS].decode().split() if _HAND_INS in metadata else [path.stem]
    return tuple(hand_ins), pq.read_table(path, schema=schema)
