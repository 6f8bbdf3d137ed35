"""Where in the catalogue a (sku_id, market) stands: a sorted hash index on disk."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import Refusal
from features.entity_file import NO_ROW

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
            raise Refusal(
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
