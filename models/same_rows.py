"""Features of a model that rest on the same rows, whose contributions are told as one reason."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from features.registry import BY_NAME

Floats = NDArray[np.float64]
HaveSameCounts = Callable[[str, str], bool]
"""Whether two shrunk rates of a row rest on equal numbers of events."""


class SameRows:
    """The columns of a model in groups: features of one entity about the same rows; the others alone."""

    def __init__(self, names: Sequence[str]) -> None:
        keys: dict[tuple[str, str], list[int]] = {}
        for column, name in enumerate(names):
            feature = BY_NAME[name]
            keys.setdefault((feature.about or name, feature.entity), []).append(column)
        self._columns = list(keys.values())
        self._group_of = np.empty(len(names), dtype=np.int64)
        for group, columns in enumerate(self._columns):
            self._group_of[columns] = group
        self._rates = {
            key: next((names[column] for column in columns if BY_NAME[names[column]].counts), "")
            for key, columns in keys.items()
        }
        self._keys = list(keys)

    def merge(self, contributions: Floats, same_counts: HaveSameCounts) -> list[list[int]]:
        """The columns that contributed to a row, (features,) contributions, in lists that rest on the same rows.

        The tests of a SKU are among those of its supplier, its factory, its title and its category, so that as many
        tests are the same tests: `same_counts` is asked of the rates of both.
        """
        size = np.bincount(self._group_of, np.abs(contributions), minlength=len(self._columns))
        groups = np.flatnonzero(size).tolist()
        own = {self._keys[group][0]: group for group in groups if self._keys[group][1] == "sku"}
        merged = {group: self._active(group, contributions) for group in groups}
        for group in groups:
            about, entity = self._keys[group]
            of_sku = own.get(about)
            if of_sku is None or entity == "sku":
                continue
            rates = self._rates[about, "sku"], self._rates[self._keys[group]]
            if all(rates) and same_counts(*rates):
                merged[of_sku] += merged.pop(group)
        return list(merged.values())

    def _active(self, group: int, contributions: Floats) -> list[int]:
        return [column for column in self._columns[group] if contributions[column] != 0.0]
