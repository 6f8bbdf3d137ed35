"""What features make of their reductions: sums, differences, products, ratios, computed over arrays of places."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import ibis.expr.operations as ops
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from features.reductions import Found

PLACES_PER_BLOCK = 32_768
"""What the processor's cache holds beside the results on the way."""
Array = NDArray[np.float64]


def _without(values: Array, absent: Array, out: Array) -> Array:
    np.copyto(out, values)
    np.copyto(out, np.nan, where=values == absent)
    return out


OPERATIONS: Mapping[type[ops.Node], Callable[..., Array]] = {
    ops.Add: np.add, ops.Subtract: np.subtract, ops.Multiply: np.multiply, ops.Divide: np.divide, ops.NullIf: _without,
}  # fmt: skip
"""NaN stands for what is unknown, and all of these keep it so."""


def is_arithmetic(values: "Iterable[ir.Value]") -> bool:
    """Whether `evaluated` can tell these from their reductions."""
    return all(_is_arithmetic(value.op()) for value in values)


def _is_arithmetic(node: Any) -> bool:
    if isinstance(node, ops.Reduction):
        return True
    if isinstance(node, ops.Literal):
        return node.dtype.is_numeric() and node.value is not None
    if isinstance(node, ops.Cast):
        return node.to.is_float64() and _is_arithmetic(node.arg)
    return type(node) in OPERATIONS and all(_is_arithmetic(part) for part in node.__args__)


def evaluate(values: "Mapping[str, ir.Value]", found: "Found", start: int, columns: Mapping[str, Array]) -> None:
    """Write the `values` into the `columns` from the place `start` on, given what their reductions come to everywhere.

    Columns of one matrix are quicker to write than columns made one by one: memory comes in larger pages.
    """
    tops = {name: _bare(value.op()) for name, value in values.items()}
    steps = list(dict.fromkeys(step for top in tops.values() for step in _steps(top)))
    number = {node: place for place, node in enumerate(steps)}
    parts = [[number[_bare(part)] for part in node.__args__] if type(node) in OPERATIONS else [] for node in steps]
    size = max(map(len, columns.values()), default=0)
    firsts = iter(range(0, size, PLACES_PER_BLOCK))

    def fill() -> None:
        room = np.empty((len(steps), PLACES_PER_BLOCK))
        for first in firsts:
            block = slice(first, min(first + PLACES_PER_BLOCK, size))
            told: list[Any] = list(room[:, : block.stop - first])
            for name, top in tops.items():
                told[number[top]] = columns[name][block]
            for place, node in enumerate(steps):
                if isinstance(node, ops.Reduction):
                    np.copyto(told[place], found[node][start + first : start + block.stop])
                elif isinstance(node, ops.Literal):
                    told[place] = float(node.value)
                else:
                    OPERATIONS[type(node)](*(told[part] for part in parts[place]), out=told[place])
            for name, top in tops.items():
                np.copyto(columns[name][block], told[number[top]])

    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        for filled in [pool.submit(fill) for _ in range(threads)]:
            filled.result()


def _steps(node: Any) -> Iterator[ops.Node]:
    """The node after all that it is computed from."""
    if type(node) in OPERATIONS:
        for part in node.__args__:
            yield from _steps(_bare(part))
    yield node


def _bare(node: Any) -> Any:
    """The node without its casts to float64, which all values here are."""
    while isinstance(node, ops.Cast):
        node = node.arg
    return node
