"""Runs over many rows: tile after tile, with all contributions written out or only the largest of each row."""

from models.treeshap.columns import encode
from models.treeshap.compiled import compiled
from models.treeshap.memory import ROWS
from models.treeshap.row import walk_row
from models.treeshap.tile import walk_tile

FEW_ROWS = 5  # up to here, rows one by one are faster than a tile that is mostly empty


@compiled
def _explain_next(program, memory, matrix, start):  # type: ignore[no-untyped-def]
    """Fill `memory.phi` for the next rows; return their number and the distance between two features in `phi`."""
    memory.phi[:] = 0.0
    if matrix.shape[0] - start <= FEW_ROWS:
        encode(program.columns, matrix, start, 1, memory)
        walk_row(program, memory)
        return 1, 1
    encode(program.columns, matrix, start, ROWS, memory)
    walk_tile(program, memory)
    return min(ROWS, matrix.shape[0] - start), ROWS


@compiled
def explain_rows(program, memory, matrix, values):  # type: ignore[no-untyped-def]
    """Write every contribution to `values` (n, features)."""
    start = 0
    while start < matrix.shape[0]:
        rows, width = _explain_next(program, memory, matrix, start)
        for row in range(rows):
            for feature in range(values.shape[1]):
                values[start + row, feature] = memory.phi[feature * width + row]
        start += rows


@compiled
def explain_top(program, memory, matrix, base_value, top):  # type: ignore[no-untyped-def]
    """Fill `top.features` and `top.values` (n, k) with each row's largest contributions, and `top.margin`."""
    start = 0
    while start < matrix.shape[0]:
        rows, width = _explain_next(program, memory, matrix, start)
        for row in range(rows):
            total = 0.0
            for feature in range(matrix.shape[1]):
                total += memory.phi[feature * width + row]
            top.margin[start + row] = base_value + total
            phi = memory.phi[row : matrix.shape[1] * width : width]
            _select(phi, top.features[start + row], top.values[start + row])
        start += rows


@compiled
def _select(phi, features, values):  # type: ignore[no-untyped-def]
    """Insert by size; only what is strictly larger moves ahead, so equal sizes stay in the order of the features."""
    held, k = 0, features.size
    for feature in range(phi.size):
        value = phi[feature]
        if held == k and (k == 0 or abs(value) <= abs(values[k - 1])):
            continue
        place = held if held < k else k - 1
        while place > 0 and abs(values[place - 1]) < abs(value):
            values[place], features[place] = values[place - 1], features[place - 1]
            place -= 1
        values[place], features[place] = value, feature
        held = min(held + 1, k)
