"""Gauss-Legendre quadrature on [0, 1]."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Rule(NamedTuple):
    """Points p, their complements 1 - p, and weights; exact for polynomials of degree 2·len(points) - 1."""

    points: NDArray[np.float64]
    complements: NDArray[np.float64]
    weights: NDArray[np.float64]


def rule_for(distinct_features: int) -> Rule:
    """The smallest rule that is exact for a path of so many distinct features: ⌈d / 2⌉ points for degree d - 1.

    Source: G. Owen, Multilinear extensions of games (1972), DOI 10.1287/mnsc.18.5.64.
    """
    nodes, weights = np.polynomial.legendre.leggauss((distinct_features + 1) // 2)
    return Rule((1.0 + nodes) / 2.0, (1.0 - nodes) / 2.0, weights / 2.0)
