"""Which SKUs somebody wants to see, and in which order."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from serving.queue.shape import Evidence

SORTS = ("risk", "harm", "units", "tested", "sku")
"""Riskiest first; most expected failures among units sold; most units; longest untested; by name."""


@dataclass(frozen=True)
class Wanted:
    """A filter: empty tuples and texts ask for nothing in particular.

    `words` must all occur in SKU, supplier or title. `evidence` must all be there; `never_tested` asks for none of a
    test. `among` are positions of the snapshot, None for the whole catalogue.
    """

    bands: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    supplier: str = ""
    words: tuple[str, ...] = ()
    evidence: Evidence = field(default_factory=lambda: Evidence(0))
    never_tested: bool = False
    among: NDArray[np.int64] | None = None
    sort: str = "risk"
