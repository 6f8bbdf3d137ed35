"""Who answered: response rates, so that tests without a result are weighted for and not dropped."""

from collections.abc import Iterable, Sequence

import numpy as np

from sampling.limits import Floats, Integers, Truths


def response_rates(answered: Truths, groupings: Sequence[Sequence[object]]) -> Floats:
    """The share of each drawn unit's group that answered, along the units.

    `groupings` name each unit's group, from fine to coarse, each nested in the next; the last holds everybody. Where a
    group has no answer, all parts of its next coarser group speak together. Weighting by 1 / (inclusion probability x
    rate) makes response a second phase of the draw (Särndal, Swensson and Wretman 1992, ch. 15). All 0 where nobody
    answered.
    """
    group = _numbered(groupings[0])
    for grouping in groupings[1:]:
        coarser = _numbered(grouping)
        silent = np.bincount(group, weights=answered)[group] == 0
        speaks_together = np.isin(coarser, coarser[silent])
        group = _numbered(np.where(speaks_together, -1 - coarser, group))
    return np.asarray(np.bincount(group, weights=answered)[group] / np.bincount(group)[group])


def _numbered(names: Iterable[object]) -> Integers:
    return np.unique(np.asarray([str(name) for name in names]), return_inverse=True)[1].astype(np.int64)
