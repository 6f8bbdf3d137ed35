"""A snapshot of as many SKUs as wanted, made of the rows of a real one, in the format on disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.definition import KEYS, Entity
from features.registry import CATALOGUE
from features.snapshot.reader import (
    FEATURES,
    INDEX_FILE,
    KEY_COLUMNS,
    LINKS,
    MANIFEST,
    SKU,
    Snapshot,
    SnapshotContent,
    open_snapshot,
)
from features.snapshot.storage import NO_ROW, MemoryMappedTable, key_hash, write_hash_index, write_table
from features.snapshot.writer import entity_rows

SHARED = ("category",)
"""Entities of which a larger catalogue has no more."""


@dataclass(frozen=True)
class BigSnapshot:
    """`rows` SKUs drawn from `source` with replacement, with new keys, and as many more suppliers and factories."""

    source: Path
    rows: int
    seed: int

    def write(self, folder: Path) -> Snapshot:
        """Write it as `folder` and open it."""
        folder.mkdir(parents=True)
        snapshot = open_snapshot(self.source)
        names = {entity: tuple(f.name for f in CATALOGUE if f.entity == entity) for entity in KEYS}
        linked = tuple(entity for entity in KEYS if entity != SKU and names[entity])
        copies = -(-self.rows // len(snapshot))
        files = {name: MemoryMappedTable(self.source / f"{name}.arrow") for name in (SKU, *linked)}
        for name in linked:
            batches = _copied(files[name], KEYS[name], 1 if name in SHARED else copies)
            write_table(folder / f"{name}.arrow", batches)
        shifts = np.array([0 if name in SHARED else len(files[name]) for name in linked], dtype=np.int32)
        write_table(folder / f"{SKU}.arrow", self._skus(files[SKU], shifts))
        self._index(folder)
        entities: dict[Entity, tuple[str, ...]] = {SKU: names[SKU], **{name: names[name] for name in linked}}
        unseen = dict.fromkeys(snapshot.feature_names, None)
        content = SnapshotContent(
            snapshot.as_of, snapshot.feature_version, f"l-{self.rows:012x}", snapshot.reference_digest, self.rows,
            snapshot.feature_names, entities, unseen,
        )  # fmt: skip
        MANIFEST.write(folder, content)
        return open_snapshot(folder)

    def _skus(
        self, file: MemoryMappedTable, shifts: "np.ndarray[tuple[int], np.dtype[np.int32]]"
    ) -> Iterator[pa.RecordBatch]:
        """Copy after copy of drawn rows, each linked to its own copy of the other entities."""
        draw = np.random.default_rng(self.seed)
        for copy, start in enumerate(range(0, self.rows, len(file))):
            drawn = draw.integers(0, len(file), min(len(file), self.rows - start))
            texts = file.columns(KEY_COLUMNS, 0, len(file)).take(pa.array(drawn))
            numbers = pc.utf8_lpad(pc.cast(pa.array(np.arange(start, start + len(drawn))), pa.string()), 9, "0")
            named = texts.set_column(0, "sku_id", pc.binary_join_element_wise("SKU", numbers, "-"))
            links = file.vectors(LINKS, drawn)
            linked = np.where(links == NO_ROW, NO_ROW, links + copy * shifts)
            yield from entity_rows(named, file.vectors(FEATURES, drawn), linked)

    def _index(self, folder: Path) -> None:
        skus, step = MemoryMappedTable(folder / f"{SKU}.arrow"), 65_536
        hashes = np.empty(self.rows, dtype=np.uint64)
        for at in range(0, self.rows, step):
            piece = skus.columns(KEY_COLUMNS, at, min(at + step, self.rows))
            keys = zip(piece["sku_id"].to_pylist(), piece["market"].to_pylist(), strict=True)
            hashes[at : at + len(piece)] = [key_hash(*key) for key in keys]
        write_hash_index(folder / INDEX_FILE, hashes)


def _copied(file: MemoryMappedTable, texts: Sequence[str], times: int) -> Iterator[pa.RecordBatch]:
    rows = np.arange(len(file))
    for _ in range(times):
        yield from entity_rows(file.columns(texts), file.vectors(FEATURES, rows), file.vectors(LINKS, rows))
