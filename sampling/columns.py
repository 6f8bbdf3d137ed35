"""Columns of tables as arrays."""

import numpy as np
import pyarrow as pa

from sampling.limits import Floats


def floats(table: pa.Table, name: str) -> Floats:
    """A column of numbers or truths as float64, NaN where it is null."""
    return np.asarray(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
