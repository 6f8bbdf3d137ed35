"""Compilation of kernels: without the interpreter lock, cached on disk where a folder can be written."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba


def _sources_digest() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


SOURCES = _sources_digest()


_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": False, "fastmath": False}


def inlined(function: Callable[..., Any]) -> Any:
    """A part of a kernel that becomes part of its callers: lanes returned by a call would travel through memory."""
    return numba.njit(forceinline=True, **_OPTIONS)(function)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a kernel with IEEE arithmetic (no fast-math: it deletes NaN tests) and unchecked indices.

    numba caches beside the source or, where that is read-only, in the user's cache folder or `NUMBA_CACHE_DIR`. Where
    none can be written, each process compiles anew.
    """
    try:
        kernel: Any = numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        return numba.njit(**_OPTIONS)(function)
    # numba stamps a cache with the age of the kernel's own file only, and would run on with an old copy of what was
    # inlined from another (https://numba.readthedocs.io/en/stable/user/faq.html); so all sources are the stamp.
    kernel._cache._cache_file._source_stamp = SOURCES
    return kernel
