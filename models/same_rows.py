"""Features of a model that rest on the same rows, whose contributions are told as one reason."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from features.definition import Feature

Floats = NDArray[np.float64]


class SameRows:
    """The columns of a model in groups: features of one entity about the same rows; the others alone."""

    def __init__(self, features: Sequence[Feature]) -> None:
        groups: dict[tuple[str, str], list[int]] = {}
        for column, feature in enumerate(features):
            groups.setdefault((feature.about or feature.name, feature.entity), []).append(column)
        self._columns = list(groups.values())
        self._group_of = np.empty(len(features), dtype=np.int64)
        for group, columns in enumerate(self._columns):
            self._group_of[columns] = group
        self._nested = list(_nested(list(groups), [_trials(features, columns) for columns in self._columns]))

    def strongest_first(self, contributions: Floats, values: Floats) -> Iterator[list[int]]:
        """Yield the columns of a row that contributed to it and rest on the same rows, the largest sum first.

        `contributions` and `values` are (features,). The tests of a SKU are among those of its supplier, its factory
        and its title, so that where these are as many, they are the same tests.
        """
        sums = np.bincount(self._group_of, contributions, minlength=len(self._columns))
        # Lists: a single number of an array takes several times as long to read.
        contributed, known = contributions.tolist(), values.tolist()
        joined: dict[int, list[int]] = {}
        for own, other, own_trials, other_trials in self._nested:
            if known[own_trials] == known[other_trials] > 0:
                joined.setdefault(own, list(self._columns[own])).extend(self._columns[other])
                sums[own] += sums[other]
                sums[other] = 0.0
        for group in np.argsort(-np.abs(sums), kind="stable").tolist():
            if sums[group] == 0.0:
                return
            yield [column for column in joined.get(group, self._columns[group]) if contributed[column] != 0.0]


def _trials(features: Sequence[Feature], columns: Sequence[int]) -> int:
    """The column of the number of events that the features of a group rest on, -1 where none counts them."""
    names = [feature.name for feature in features]
    counted = [words.trials for column in columns if (words := features[column].counts) and words.trials]
    return names.index(counted[0]) if counted and counted[0] in names else -1


def _nested(keys: Sequence[tuple[str, str]], trials: Sequence[int]) -> Iterator[tuple[int, int, int, int]]:
    """Yield the group of a SKU, that of a wider entity about the same rows, and the columns that count both."""
    own = {about: group for group, (about, entity) in enumerate(keys) if entity == "sku"}
    for group, (about, entity) in enumerate(keys):
        if entity not in ("sku", "category") and about in own and min(trials[own[about]], trials[group]) >= 0:
            yield own[about], group, trials[own[about]], trials[group]
