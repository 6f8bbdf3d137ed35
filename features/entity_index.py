"""Where in its file an entity stands: its keys are sorted, so that halving finds them without an index."""

from features.entity_file import NO_ROW, EntityFile

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
