"""How far a skill could be off by the luck of which suppliers were tested: the cluster bootstrap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.metrics import Floats


@dataclass(frozen=True)
class Skill:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


def supplier_weights(suppliers: Sequence[str], replicates: int, seed: int) -> Floats:
    """Row weights (1 + replicates, n): ones first, then how often each row's supplier was drawn.

    Suppliers are drawn with replacement, all rows of one together, because outcomes of a supplier's SKUs resemble
    each other (Field and Welsh, J. R. Statist. Soc. B 69 (2007) 369). The order of the rows does not matter.
    """
    names, position = np.unique(np.asarray(suppliers, dtype=str), return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=replicates)
    return np.vstack([np.ones(len(position)), drawn[:, position].astype(np.float64)])


def skill(values: Floats, scale: float = 1.0) -> Skill:
    """The skill of which `values` holds the value itself and its replicates; NaN replicates are left out."""
    spread = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or len(spread) == 0:
        return Skill(float(values[0]) * scale, float("nan"), float("nan"))
    low, high = np.quantile(spread, [0.025, 0.975])
    return Skill(float(values[0]) * scale, float(low) * scale, float(high) * scale)
