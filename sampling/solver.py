"""The solver of linear programmes, HiGHS through SciPy; the one module that knows it."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from data.errors import Refusal
from sampling.limits import Floats


class Vertex(NamedTuple):
    """Where the gain is largest, and per row what one more of its bound would add to the gain."""

    x: Floats
    prices: Floats


def maximised(gain: Floats, rows: csr_array, most: Floats, upper: Floats) -> Vertex:
    """The x from 0 to `upper` with `rows @ x <= most` and the largest `gain @ x`; Refusal where there is none.

    Columns are scaled by their upper bounds and rows by their largest entries, so that strata of one SKU and of a
    million stand in one programme. Presolving now and then ends without an answer where gains differ by many orders of
    magnitude; the programme is then solved as it stands.
    """
    width = np.where(np.isfinite(upper) & (upper > 0), upper, 1.0)
    scaled = rows.multiply(width[None, :]).tocsr()
    height = abs(scaled).max(axis=1).toarray().ravel() if scaled.nnz else np.ones(len(most))
    height[height == 0] = 1
    scaled = scaled.multiply(1 / height[:, None]).tocsr()
    bounds = np.column_stack([np.zeros(len(gain)), upper / width])
    for method, presolve in (("highs-ds", True), ("highs-ds", False), ("highs-ipm", False)):
        result = linprog(
            -gain * width, A_ub=scaled, b_ub=most / height, bounds=bounds, method=method, options={"presolve": presolve}
        )  # type: ignore[call-overload]
        if result.status == 0:
            return Vertex(result.x * width, -result.ineqlin.marginals / height)
    raise Refusal(f"The sampling programme found no plan: {result.message}. Loosen the sampling policy.")
