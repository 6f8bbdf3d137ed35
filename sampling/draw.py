"""The draw: fixed sizes, exact probabilities, and no limit broken in any realised sample."""

import numpy as np

from sampling.chance import ONE, hashed, mixed, systematic, uniform
from sampling.inclusion import Solution
from sampling.limits import Codes, Integers, Limits, Truths, Units

_HASH_BITS = 20
_BIN_BITS = 4
_ROWS_AT_ONCE = 1 << 20


def taken(units: Units, solution: Solution, limits: Limits, seed: int | str) -> Truths:
    """Which SKUs one draw takes, each with exactly its inclusion probability.

    SKUs are walked by package, cell and supplier, inside by risk stratum and then by a hash under `seed`. Every
    package, every cell of a package and every supplier that has more SKUs than its cap gets its expected tests rounded
    down or up; as the sums keep the limits, so does every draw.
    """
    order, first, (group, supplier) = _walk(units, solution, limits, seed)
    fraction = np.add.reduceat(solution.inclusion[order], first) & (ONE - 1)
    up = _rounded_up(group, supplier, fraction, solution, len(limits.options), seed)
    draw = uniform(np.arange(len(first), dtype=np.uint64), hashed(f"{seed} start"))
    # A start below `ONE - fraction` rounds the group's sum down, any other rounds it up.
    high, low = (draw * fraction).astype(np.int64), (draw * (ONE - fraction)).astype(np.int64)
    picked = np.zeros(len(units), dtype=np.bool_)
    picked[order] = systematic(solution.inclusion[order], np.where(up, ONE - fraction + high, low), first)
    return picked


def _groups(units: Units, solution: Solution, limits: Limits) -> tuple[Codes, Codes, int]:
    """The package and cell of each SKU as one number; its supplier, 0 where no draw could exceed the cap; how many."""
    group = solution.package.astype(np.int32) * len(limits.options) + units.cell.astype(np.int32)
    if limits.supplier_cap is None:
        return group, np.zeros(len(units), dtype=np.int32), 1
    skus = np.bincount(units.supplier + 1)
    skus[0] = 0
    large = skus > limits.supplier_cap
    number = np.where(large, np.cumsum(large), 0).astype(np.int32)
    return group, number[units.supplier + 1], int(large.sum()) + 1


def _walk(
    units: Units, solution: Solution, limits: Limits, seed: int | str
) -> tuple[Integers, Integers, tuple[Integers, Codes]]:
    """The order of the walk, where in it each group begins, and the groups: their package and cell, their supplier."""
    group, supplier, suppliers = _groups(units, solution, limits)
    key = np.empty(len(units), dtype=np.uint64)
    bins, hashing = solution.strata.bin.astype(np.uint64), hashed(f"{seed} order")
    for begin in range(0, len(units), _ROWS_AT_ONCE):
        rows = slice(begin, begin + _ROWS_AT_ONCE)
        part = group[rows].astype(np.uint64) * np.uint64(suppliers) + supplier[rows].astype(np.uint64)
        part = part << np.uint64(_BIN_BITS) | bins[solution.strata.of_unit[rows]]
        key[rows] = part << np.uint64(_HASH_BITS) | mixed(units.words[rows], hashing) >> np.uint64(64 - _HASH_BITS)
    order = np.argsort(key, kind="stable")
    key >>= np.uint64(_BIN_BITS + _HASH_BITS)
    key = key[order]
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    heads = order[first]
    return order, first, (group[heads].astype(np.int64), supplier[heads])


def _rounded_up(
    group: Integers, supplier: Codes, fraction: Integers, solution: Solution, cells: int, seed: int | str
) -> Truths:
    """Which sums of (package and cell, supplier) are rounded up.

    Their fractions flow from the root (node 0) through suppliers to cells of packages, on to packages, to groups that
    share a few tests, and back to the root. Who is in no large supplier comes from the root at once.
    """
    from sampling.rounding import rounded

    loose = np.flatnonzero(fraction)
    flow, group, supplier = fraction[loose], group[loose].astype(np.int32), supplier[loose].astype(np.int32)
    pairs = int(group.max(initial=-1)) + 1
    package = np.arange(pairs, dtype=np.int32) // np.int32(cells)
    packages = int(package.max(initial=-1)) + 1
    suppliers = int(supplier.max(initial=0)) + 1
    group_of = solution.totals.group[:packages]
    groups = len(solution.totals.group_most)
    pair_node, supplier_node = 1 + packages + groups, packages + groups + pairs
    of_pair, of_supplier = _sums(group, flow, pairs), _sums(supplier, flow, suppliers)[1:]
    of_package = _sums(package, of_pair, packages)
    every = np.arange(1, suppliers, dtype=np.int32) + supplier_node
    tails = [np.where(supplier > 0, supplier + supplier_node, 0), np.arange(pairs) + pair_node,
             np.arange(packages) + 1, np.arange(groups) + 1 + packages, np.zeros_like(every)]  # fmt: skip
    heads = [group + pair_node, package + 1, np.where(group_of >= 0, 1 + packages + group_of, 0),
             np.zeros(groups, dtype=np.int64), every]  # fmt: skip
    of_group = _sums(group_of[group_of >= 0], of_package[group_of >= 0], groups)
    flows = np.concatenate([flow, of_pair, of_package, of_group, of_supplier]) & (ONE - 1)
    carried = np.flatnonzero(flows)
    start, end = (np.concatenate(side).astype(np.int32)[carried] for side in (tails, heads))
    edge_up = np.zeros(len(flows), dtype=np.bool_)
    edge_up[carried] = rounded(start, end, flows[carried], ONE, hashed(f"{seed} rounding"))
    up = np.zeros(len(fraction), dtype=np.bool_)
    up[loose] = edge_up[: len(loose)]
    return up


def _sums(number: Codes, values: Integers, size: int) -> Integers:
    """The sum of the values of each number; exact, unlike `bincount`."""
    sums = np.zeros(size, dtype=np.int64)
    np.add.at(sums, number, values)
    return sums
