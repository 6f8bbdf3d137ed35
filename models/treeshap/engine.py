"""The engine: exact contributions of a model's features to the raw margin, for one row or millions."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .assembly import assemble
from .kernels import explain_rows, explain_top
from .model_file import Forest, read_model, read_outputs
from .pairs import Pairs, explain_pairs, explain_top_pairs, pair_memory_for, pairs_of
from .program import ROWS, CompiledModel, memory_for

Precision = Literal["float64", "float32"]


class Contributions(NamedTuple):
    """Contributions (n, features) to the raw margin and the base value: base + sum of a row = its margin."""

    values: NDArray[np.floating]
    base_value: float


class Interactions(NamedTuple):
    """Interactions (n, features, features) and the base value, as shap has them: symmetric, a row's sum is its margin.

    Each of the two cells of a pair holds half of what its features add together beyond what each adds alone; the
    diagonal holds what is left of the contributions, so that a line of a row sums to the contribution of its feature.
    """

    values: NDArray[np.float64]
    base_value: float


class TopInteractions(NamedTuple):
    """The k largest interactions of each row by size: features `first` < `second`, and values, all (n, k).

    A value is the whole of its pair: the sum of both cells of `Interactions`.
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    values: NDArray[np.float64]


class TopContributions(NamedTuple):
    """The k largest contributions of each row by size: features (n, k), contributions (n, k), and the margins (n,)."""

    features: NDArray[np.int32]
    values: NDArray[np.floating]
    margin: NDArray[np.float64]


def compile_model(text: str, precision: Precision = "float64") -> "Engine":
    """The engine of a LightGBM booster, from `booster.model_to_string()` or the file that `save_model` writes.

    Raises:
        UnsupportedModel: the model cannot be explained exactly (linear trees, several outputs) or its text is damaged.
        ValueError: an unknown precision.

    """
    return _compile(read_model(text), precision)


def compile_outputs(text: str, precision: Precision = "float64") -> tuple["Engine", ...]:
    """The engine of every output of a booster: one, or one per class. Raises as `compile_model`, but for outputs."""
    return tuple(_compile(forest, precision) for forest in read_outputs(text))


def _compile(forest: Forest, precision: Precision) -> "Engine":
    if precision not in ("float64", "float32"):
        raise ValueError(f"The precision is 'float64' or 'float32', got {precision!r}.")
    return Engine(assemble(forest, np.dtype(precision).type), forest.feature_names, np.dtype(precision))


class Engine:
    """Path-dependent SHAP contributions of one model.

    A row's answer depends on that row alone: not on its neighbours, their order, their number, or the threads.
    """

    def __init__(self, listing: CompiledModel, feature_names: tuple[str, ...], precision: "np.dtype[Any]") -> None:
        self._listing = listing
        self._precision = precision
        self.feature_names = feature_names
        self.n_features = len(feature_names)
        self.base_value = listing.base_value

    def tested_values(self) -> Mapping[int, NDArray[np.float64]]:
        """The thresholds and categories of all splits, by the feature that is tested."""
        columns = self._listing.program.columns
        return {
            int(feature): columns.values[columns.starts[at] : columns.starts[at + 1]]
            for at, feature in enumerate(columns.features)
        }

    def contributions(self, matrix: NDArray[np.float64], threads: int = 1) -> Contributions:
        """Contributions of every feature; `matrix` is (n, features), float64, row by row, NaN where missing.

        Raises:
            ValueError: the matrix has another shape, type or order, or `threads` is below 1.

        """
        self._check(matrix, threads)
        values = np.empty((len(matrix), self.n_features), dtype=self._precision)

        def explain(start: int, stop: int) -> None:
            memory = memory_for(self._listing, self.n_features)
            explain_rows(self._listing.program, memory, matrix[start:stop], values[start:stop])

        _in_threads(explain, len(matrix), threads)
        return Contributions(values, self.base_value)

    def interactions(self, matrix: NDArray[np.float64], threads: int = 1) -> Interactions:
        """Interactions of all pairs of features, float64; the answer takes 8 · n · features² bytes.

        Raises:
            ValueError: as `contributions`, or the engine's precision is not float64.

        """
        self._check(matrix, threads)
        values = np.zeros((len(matrix), self.n_features, self.n_features))

        def explain(start: int, stop: int) -> None:
            work = pair_memory_for(self._listing, self._pairs, self.n_features)
            explain_pairs(self._listing.program, self._pairs, work, matrix[start:stop], values[start:stop])

        _in_threads(explain, len(matrix), threads)
        return Interactions(values, self.base_value)

    def top_interactions(self, matrix: NDArray[np.float64], k: int, threads: int = 1) -> TopInteractions:
        """The k largest interactions of each row, largest size first; never holds (n, features, features) values.

        Raises:
            ValueError: as `interactions`, or k is not between 0 and the number of pairs that the model's paths make.

        """
        self._check(matrix, threads)
        if not 0 <= k <= self.n_pairs:
            raise ValueError(f"k is between 0 and the {self.n_pairs} pairs of features that share a path, got {k}.")
        shape = (len(matrix), k)
        top = TopInteractions(np.empty(shape, np.int32), np.empty(shape, np.int32), np.empty(shape))

        def explain(start: int, stop: int) -> None:
            work = pair_memory_for(self._listing, self._pairs, self.n_features)
            some = TopInteractions(top.first[start:stop], top.second[start:stop], top.values[start:stop])
            explain_top_pairs(self._listing.program, self._pairs, work, matrix[start:stop], some)

        _in_threads(explain, len(matrix), threads)
        return top

    @property
    def n_pairs(self) -> int:
        """How many pairs of features share a path of a tree; all others have no interaction."""
        return len(self._pairs.first)

    @cached_property
    def _pairs(self) -> Pairs:
        if self._precision != np.float64:
            raise ValueError("Interactions are computed in float64. Compile the model with precision='float64'.")
        return pairs_of(self._listing.program)

    def margin(self, matrix: NDArray[np.float64], threads: int = 1) -> NDArray[np.float64]:
        """Raw margins (n,): the base value plus the sum of a row's contributions. Raises as `contributions`."""
        return self.top(matrix, 0, threads).margin

    def top(self, matrix: NDArray[np.float64], k: int, threads: int = 1) -> TopContributions:
        """The k largest contributions of each row, largest size first, equal sizes by feature; k = 0: margins only.

        Never holds (n, features) values in memory.

        Raises:
            ValueError: as `contributions`, or k is not between 0 and the number of features.

        """
        self._check(matrix, threads)
        if not 0 <= k <= self.n_features:
            raise ValueError(f"k is between 0 and the {self.n_features} features of the model, got {k}.")
        top = TopContributions(
            features=np.empty((len(matrix), k), dtype=np.int32),
            values=np.empty((len(matrix), k), dtype=self._precision),
            margin=np.empty(len(matrix), dtype=np.float64),
        )

        def explain(start: int, stop: int) -> None:
            memory = memory_for(self._listing, self.n_features)
            some = TopContributions(top.features[start:stop], top.values[start:stop], top.margin[start:stop])
            explain_top(self._listing.program, memory, matrix[start:stop], self.base_value, some)

        _in_threads(explain, len(matrix), threads)
        return top

    def _check(self, matrix: NDArray[np.float64], threads: int) -> None:
        if threads < 1:
            raise ValueError(f"Threads are counted from 1, got {threads}.")
        if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or matrix.shape[1] != self.n_features:
            raise ValueError(
                f"The matrix has one row per case and {self.n_features} columns, got shape {np.shape(matrix)}. "
                "Pass the features in the order of the model."
            )
        if matrix.dtype != np.float64 or not matrix.flags.c_contiguous:
            raise ValueError(
                f"The matrix is float64 and stored row by row, got {matrix.dtype} with C order "
                f"{matrix.flags.c_contiguous}. Convert it with np.ascontiguousarray(matrix, dtype=np.float64)."
            )


def _in_threads(explain: Callable[[int, int], None], rows: int, threads: int) -> None:
    """Call `explain(start, stop)` for consecutive shares of the rows, one thread each.

    The threads live for one call only, so that a server may fork before and after.
    """
    share = max(ROWS, -(-rows // threads))
    starts = range(0, rows, share)
    if len(starts) <= 1:
        explain(0, rows)
        return
    with ThreadPoolExecutor(max_workers=len(starts)) as pool:
        for done in [pool.submit(explain, start, min(rows, start + share)) for start in starts]:
            done.result()
