"""The draw: a fixed-size sample with exact inclusion probabilities that keeps every constraint."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from sampling.design.inclusion import DesignSolution
from sampling.problem import Codes, Constraints, Integers, SamplingUnits, Truths, exact_group_sums
from sampling.randomness import ONE, hash_columns, mix_words, permanent_random_numbers, systematic

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def round_dependently(tails: Codes, heads: Codes, fractions: Integers, one: int, seed: int) -> Truths:
    """Boolean array of the edges that are rounded up.

    Edge e carries `fractions[e]` / `one`, in (0, 1), from `tails[e]` to `heads[e]`. Into every node must flow what
    flows out, up to whole numbers; that remains so. Each edge is rounded up with its fraction as probability.
    """
    flow = fractions.copy()
    tails, heads = tails.astype(np.int32, copy=False), heads.astype(np.int32, copy=False)
    if len(flow):
        nodes = np.concatenate([tails, heads])
        edges = np.argsort(nodes, kind="stable")
        edges %= len(tails)
        edges = edges.astype(np.int32)
        last = np.cumsum(np.bincount(nodes))
        first = np.concatenate([[0], last[:-1]])
        _round_all((tails, heads), flow, edges, (first, last), one, np.uint64(seed))
    up: Truths = flow == one
    return up


def _compile(function: Callable[..., Any]) -> Any:
    """The function compiled by numba, cached on disk where numba can write."""
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        return numba.njit(function)


@_compile
def _fractional_edge(flow, edges, span, one, node, but):  # type: ignore[no-untyped-def]  # pragma: no cover
    """A fractional edge of `node` other than `but`, -1 where there is none; whole ones leave the node's list."""
    first, last = span
    at = last[node] - 1
    while at >= first[node]:
        edge = edges[at]
        if flow[edge] <= 0 or flow[edge] >= one:
            last[node] -= 1
            edges[at] = edges[last[node]]
        elif edge != but:
            return edge
        at -= 1
    return -1


@_compile
def _shift(tails, flow, one, nodes, cycle, word):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Add to the edges along a cycle, and take from those against it, as much as one of them bears; or the reverse."""
    up, down = one, one
    for step in range(len(cycle)):
        edge = cycle[step]
        along = tails[edge] == nodes[step]
        up = min(up, one - flow[edge] if along else flow[edge])
        down = min(down, flow[edge] if along else one - flow[edge])
    chance = np.float64(word >> np.uint64(11)) * 2.0**-53
    change = up if chance * (up + down) < down else -down
    for step in range(len(cycle)):
        edge = cycle[step]
        flow[edge] += change if tails[edge] == nodes[step] else -change


@_compile
def _round_all(ends, flow, edges, span, one, state):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Walk over fractional edges until a node recurs, round on that cycle, go on from there.

    `edges[span[0][n]:span[1][n]]` are the edges of node n; step s of the walk leaves node `nodes[s]` by `path[s]`.
    """
    tails, heads = ends
    place = np.full(len(span[0]), -1, np.int64)
    nodes, path = np.empty(len(place) + 1, np.int64), np.empty(len(place) + 1, np.int64)
    for origin in range(len(flow)):
        if flow[origin] <= 0 or flow[origin] >= one:
            continue
        depth = 0
        nodes[0] = tails[origin]
        place[nodes[0]] = 0
        while True:
            node = nodes[depth]
            edge = _fractional_edge(flow, edges, span, one, node, path[depth - 1] if depth else -1)
            if edge < 0:
                break
            path[depth] = edge
            there = heads[edge] if tails[edge] == node else tails[edge]
            if place[there] < 0:
                depth += 1
                nodes[depth], place[there] = there, depth
                continue
            begin = place[there]
            state += _STEP
            word = (state ^ (state >> np.uint64(30))) * _MIX_1
            word = (word ^ (word >> np.uint64(27))) * _MIX_2
            _shift(tails, flow, one, nodes[begin:], path[begin : depth + 1], word ^ (word >> np.uint64(31)))
            for step in range(begin + 1, depth + 1):
                place[nodes[step]] = -1
            depth = begin
        for step in range(depth + 1):
            place[nodes[step]] = -1


_HASH_BITS = 20
_BIN_BITS = 4
_ROWS_AT_ONCE = 1 << 20


def draw_sample(units: SamplingUnits, solution: DesignSolution, limits: Constraints, seed: int | str) -> Truths:
    """Boolean array of the SKUs drawn, each with exactly its inclusion probability.

    SKUs are walked by package, cell and supplier, inside by risk stratum and then by a hash under `seed`. Every
    package, every cell of a package and every supplier that has more SKUs than its cap gets its expected tests rounded
    down or up; as the sums keep the limits, so does every draw.
    """
    inclusion = solution.totals.conditional_inclusion(solution.inclusion, solution.package, seed)
    order, first, (group, supplier) = _walk_order(units, solution, limits, seed)
    fraction = np.add.reduceat(inclusion[order], first) & (ONE - 1)
    up = _round_group_sums(group, supplier, fraction, len(limits.options), seed)
    draw = permanent_random_numbers(np.arange(len(first), dtype=np.uint64), hash_columns(f"{seed} start"))
    # A start below `ONE - fraction` rounds the group's sum down, any other rounds it up.
    high, low = (draw * fraction).astype(np.int64), (draw * (ONE - fraction)).astype(np.int64)
    picked = np.zeros(len(units), dtype=np.bool_)
    picked[order] = systematic(inclusion[order], np.where(up, ONE - fraction + high, low), first)
    return picked


def _groups(units: SamplingUnits, solution: DesignSolution, limits: Constraints) -> tuple[Codes, Codes, int]:
    """The package and cell of each SKU as one number; its supplier, 0 where no draw could exceed the cap; how many."""
    group = solution.package.astype(np.int32) * len(limits.options) + units.cell.astype(np.int32)
    if limits.supplier_cap is None:
        return group, np.zeros(len(units), dtype=np.int32), 1
    skus = np.bincount(units.supplier + 1)
    skus[0] = 0
    large = skus > limits.supplier_cap
    number = np.where(large, np.cumsum(large), 0).astype(np.int32)
    return group, number[units.supplier + 1], int(large.sum()) + 1


def _walk_order(
    units: SamplingUnits, solution: DesignSolution, limits: Constraints, seed: int | str
) -> tuple[Integers, Integers, tuple[Integers, Codes]]:
    """The order of the walk, where in it each group begins, and the groups: their package and cell, their supplier."""
    group, supplier, suppliers = _groups(units, solution, limits)
    key = np.empty(len(units), dtype=np.uint64)
    bins, hashing = solution.strata.bin.astype(np.uint64), hash_columns(f"{seed} order")
    for begin in range(0, len(units), _ROWS_AT_ONCE):
        rows = slice(begin, begin + _ROWS_AT_ONCE)
        part = group[rows].astype(np.uint64) * np.uint64(suppliers) + supplier[rows].astype(np.uint64)
        part = part << np.uint64(_BIN_BITS) | bins[solution.strata.of_unit[rows]]
        key[rows] = part << np.uint64(_HASH_BITS) | mix_words(units.words[rows], hashing) >> np.uint64(64 - _HASH_BITS)
    order = np.argsort(key, kind="stable")
    key >>= np.uint64(_BIN_BITS + _HASH_BITS)
    key = key[order]
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    heads = order[first]
    return order, first, (group[heads].astype(np.int64), supplier[heads])


def _round_group_sums(group: Integers, supplier: Codes, fraction: Integers, cells: int, seed: int | str) -> Truths:
    """Boolean array of the sums of (package and cell, supplier) that are rounded up.

    Their fractions flow from the root (node 0) through suppliers to cells of packages, on to packages and back to the
    root. Who is in no large supplier comes from the root at once.
    """
    loose = np.flatnonzero(fraction)
    flow, group, supplier = fraction[loose], group[loose].astype(np.int32), supplier[loose].astype(np.int32)
    pairs = int(group.max(initial=-1)) + 1
    package = np.arange(pairs, dtype=np.int32) // np.int32(cells)
    packages = int(package.max(initial=-1)) + 1
    suppliers = int(supplier.max(initial=0)) + 1
    pair_node, supplier_node = 1 + packages, packages + pairs
    of_pair, of_supplier = exact_group_sums(group, flow, pairs), exact_group_sums(supplier, flow, suppliers)[1:]
    of_package = exact_group_sums(package, of_pair, packages)
    every = np.arange(1, suppliers, dtype=np.int32) + supplier_node
    tails = [np.where(supplier > 0, supplier + supplier_node, 0), np.arange(pairs) + pair_node,
             np.arange(packages) + 1, np.zeros_like(every)]  # fmt: skip
    heads = [group + pair_node, package + 1, np.zeros(packages, dtype=np.int64), every]
    flows = np.concatenate([flow, of_pair, of_package, of_supplier]) & (ONE - 1)
    carried = np.flatnonzero(flows)
    start, end = (np.concatenate(side).astype(np.int32)[carried] for side in (tails, heads))
    edge_up = np.zeros(len(flows), dtype=np.bool_)
    edge_up[carried] = round_dependently(start, end, flows[carried], ONE, hash_columns(f"{seed} rounding"))
    up = np.zeros(len(fraction), dtype=np.bool_)
    up[loose] = edge_up[: len(loose)]
    return up
