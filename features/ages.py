"""Conditions on the age of an event alone, such as "in the last year", computed over arrays instead of asked for."""

from collections.abc import Callable, Mapping
from typing import Any

import ibis.expr.operations as ops
import numpy as np
from numpy.typing import NDArray

OPERATIONS: Mapping[type[ops.Node], Callable[..., Any]] = {
    ops.Less: np.less, ops.LessEqual: np.less_equal, ops.Greater: np.greater, ops.GreaterEqual: np.greater_equal,
    ops.And: np.logical_and, ops.Or: np.logical_or, ops.Not: np.logical_not,
}  # fmt: skip
"""All of these are unknown where the age is, so that no such row fulfils a condition made of them."""


def origin_of(node: ops.Node) -> ops.Node:
    """What a column is computed by, or the column of the table that it is read from."""
    while isinstance(node, ops.Field) and isinstance(node.rel, ops.Project | ops.Filter):
        below = node.rel
        node = below.values[node.name] if isinstance(below, ops.Project) else ops.Field(below.parent, node.name)
    return node


def is_age(node: ops.Node) -> bool:
    """Whether the column counts the days between two."""
    return isinstance(node, ops.Field) and isinstance(origin_of(node), ops.DateDelta)


def age_in(condition: ops.Node) -> ops.Node | None:
    """The age that the condition looks at; None where it looks at anything else, too."""
    parts = condition.find(ops.Value, filter=ops.Value)
    ages = {part for part in parts if isinstance(part, ops.Field)}
    known = all(isinstance(part, (ops.Field, ops.Literal, *OPERATIONS)) for part in parts)
    return ages.pop() if known and len(ages) == 1 and all(map(is_age, ages)) else None


def fulfilled(condition: Any, age: NDArray[np.int32]) -> Any:
    """Whether each age fulfils a condition that looks at nothing else."""
    if isinstance(condition, ops.Field):
        return age
    if isinstance(condition, ops.Literal):
        return condition.value
    return OPERATIONS[type(condition)](*(fulfilled(part, age) for part in condition.__args__))
