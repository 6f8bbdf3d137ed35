"""Sums of contributions: over a few trees in the program's float type, and of those in float64.

Added up in float32 alone, hundreds of trees would lose a digit.
"""

from models.treeshap.compiled import compiled

TREES_PER_SUM = 16


@compiled
def add_up(phi, sums, used):  # type: ignore[no-untyped-def]
    """Move the first `used` numbers of `phi` over to `sums`."""
    for place in range(used):
        sums[place] += phi[place]
        phi[place] = 0.0


@compiled
def finish(phi, sums, used):  # type: ignore[no-untyped-def]
    """As `add_up`, with the sums rounded to the program's float type."""
    for place in range(used):
        phi[place] = sums[place] + phi[place]
        sums[place] = phi[place]
        phi[place] = 0.0
