"""Rounding by chance under two hierarchies at once: every group of either gets its sum, rounded down or up.

Budish, Che, Kojima and Milgrom 2013 (doi 10.1257/aer.103.2.585), appendix B: fractions flow through a graph; along a
cycle of fractional edges as much can be added as taken away, until one of them is whole, by a coin that keeps the
expectation of every edge.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from sampling.limits import Codes, Integers, Truths

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def rounded(tails: Codes, heads: Codes, fractions: Integers, one: int, seed: int) -> Truths:
    """Which edges are rounded up; edge e carries `fractions[e]` / `one`, in (0, 1), from `tails[e]` to `heads[e]`.

    Into every node must flow what flows out, up to whole numbers; that remains so. Each edge is rounded up with its
    fraction as probability.
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


def _compiled(function: Callable[..., Any]) -> Any:
    """Machine code, kept on disk where numba finds a place for it."""
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        return numba.njit(function)


@_compiled
def _loose_edge(flow, edges, span, one, node, but):  # type: ignore[no-untyped-def]  # pragma: no cover
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


@_compiled
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


@_compiled
def _round_all(ends, flow, edges, span, one, state):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Walk over fractional edges until a node comes again, round on that cycle, go on from there.

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
            edge = _loose_edge(flow, edges, span, one, node, path[depth - 1] if depth else -1)
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
