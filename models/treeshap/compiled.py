"""Compilation of kernels: without the interpreter lock, cached on disk where a folder can be written."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a kernel with IEEE arithmetic (no fast-math: it deletes NaN tests) and unchecked indices.

    numba caches beside the source or, where that is read-only, in the user's cache folder or `NUMBA_CACHE_DIR`. Where none
    can be written, the kernel is compiled anew by each process.
    """
    options = {"nogil": True, "error_model": "numpy", "boundscheck": False, "fastmath": False}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        return numba.njit(**options)(function)
