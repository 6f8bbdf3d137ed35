"""Which SKUs somebody wants to see, and in which order."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from serving.queue.shape import Evidence

SORTED_BY_SCORE = ("risk", "harm")
SORTS = ("risk", "harm", "units", "tested", "sku")
"""Riskiest first; most expected failures among units sold; most units; longest untested; by name."""


@dataclass(frozen=True)
class Wanted:
    """A filter: empty tuples and texts ask for nothing in particular.

    `words` must all occur in SKU, supplier or title. `evidence` must all be there; `never_tested` asks for none of a
    test. `among` are positions of the snapshot, None for the whole catalogue. `veiled` marks, by number, the SKUs whose
    score must not show: no filter by the score finds them, and where the score sorts they come last, by name.
    """

    bands: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    supplier: str = ""
    words: tuple[str, ...] = ()
    evidence: Evidence = field(default_factory=lambda: Evidence(0))
    never_tested: bool = False
    among: NDArray[np.int64] | None = None
    veiled: NDArray[np.bool_] | None = None
    sort: str = "risk"

    @property
    def asks_of_score(self) -> bool:
        """Whether being found says something about a SKU's score."""
        return bool(self.bands) or Evidence.NEW in self.evidence
