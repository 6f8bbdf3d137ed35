"""What features make of their reductions: sums, differences, products, ratios, computed over arrays of places."""

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import ibis.expr.operations as ops
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from features.reductions import Found

PLACES_PER_BLOCK = 16_384
"""What the processor's cache holds beside the results on the way."""
Array = NDArray[np.float64]


def _without(values: Array, absent: Array) -> Array:
    return np.where(values == absent, np.nan, values)


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


def evaluated(values: "Mapping[str, ir.Value]", found: "Found", chosen: slice) -> Mapping[str, Array]:
    """The `values` at the chosen places, given what the reductions in them come to everywhere."""
    columns = {name: np.empty(chosen.stop - chosen.start) for name in values}

    def fill(first: int) -> None:
        block = slice(first, min(first + PLACES_PER_BLOCK, chosen.stop))
        known: dict[ops.Node, Any] = {}
        for name, value in values.items():
            result = _evaluated(value.op(), partial(_block, found, block), known)
            columns[name][block.start - chosen.start : block.stop - chosen.start] = result

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(fill, range(chosen.start, chosen.stop, PLACES_PER_BLOCK)))
    return columns


def _block(found: "Found", block: slice, reduction: ops.Node) -> Array:
    return found[reduction][block].astype(np.float64)


def _evaluated(node: Any, reduced: Callable[[ops.Node], Array], known: dict[ops.Node, Any]) -> Any:
    """The value of one node, each computed once."""
    if node not in known:
        if isinstance(node, ops.Literal):
            known[node] = float(node.value)
        elif isinstance(node, ops.Reduction):
            known[node] = reduced(node)
        elif isinstance(node, ops.Cast):
            known[node] = _evaluated(node.arg, reduced, known)
        else:
            known[node] = OPERATIONS[type(node)](*(_evaluated(part, reduced, known) for part in node.__args__))
    return known[node]
