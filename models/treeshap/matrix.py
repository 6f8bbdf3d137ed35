"""What callers hold (NumPy arrays, pandas frames, Arrow tables) as the matrix that the engine reads."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
CATEGORIES_LINE = "pandas_categorical:"


class ModelColumns(NamedTuple):
    """The columns that a model reads: their names in order, and the categories of its pandas categoricals in order.

    A model of NumPy arrays names its columns `Column_0`, `Column_1` and so on: then the names of a table are free.
    """

    names: tuple[str, ...]
    categories: tuple[tuple[Any, ...], ...]

    @property
    def are_named(self) -> bool:
        """Whether the model was trained with names of its own."""
        return self.names != tuple(f"Column_{place}" for place in range(len(self.names)))


class TableColumn(NamedTuple):
    """A column of a table: numbers (n,) with NaN where missing, or codes of `categories` with -1 where missing."""

    values: NDArray[Any]
    categories: tuple[Any, ...] | None = None


def categories_in(text: str) -> tuple[tuple[Any, ...], ...]:
    """The categories of the pandas columns that a model was trained on, from the last line of its text."""
    _, found, rest = text.rpartition("\n" + CATEGORIES_LINE)
    lists = json.loads(rest.splitlines()[0]) if found else None
    return tuple(tuple(categories) for categories in lists or ())


def matrix_of(rows: Any, columns: ModelColumns) -> Matrix:
    """The matrix (n, features), float64, C order, NaN where missing, of an array, a pandas frame or an Arrow table.

    Raises:
        ValueError: other columns than the model's, or values that are no numbers.

    """
    if _package(rows) not in ("pandas", "pyarrow"):
        return _matrix_of_array(rows, columns)
    table = in_model_order(rows, columns)
    names = [str(name) for name in _names(table)]
    read = _pandas_column if _package(rows) == "pandas" else _arrow_column
    return _matrix_of_table([read(table, place, name) for place, name in enumerate(names)], names, columns)


def in_model_order(rows: Any, columns: ModelColumns) -> Any:
    """A pandas frame or an Arrow table with its columns in the order of the model; anything else as it is.

    Raises:
        ValueError: other columns than the model's.

    """
    if _package(rows) not in ("pandas", "pyarrow"):
        return rows
    places = _places_of([str(name) for name in _names(rows)], columns)
    return rows.iloc[:, places] if _package(rows) == "pandas" else rows.select(places)


def _package(rows: Any) -> str:
    return type(rows).__module__.partition(".")[0]


def _names(table: Any) -> Sequence[Any]:
    names: Sequence[Any] = table.columns if _package(table) == "pandas" else table.schema.names
    return names


def _matrix_of_array(rows: Any, columns: ModelColumns) -> Matrix:
    try:
        matrix = np.ascontiguousarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The rows must be numbers, got {type(rows).__name__}: {error}. "
            "Pass an array of numbers, a pandas frame or an Arrow table."
        ) from error
    if matrix.ndim != 2 or matrix.shape[1] != len(columns.names):
        raise ValueError(
            f"The model reads {len(columns.names)} features, got an array of shape {np.shape(rows)}. "
            "Pass an array of shape (rows, features); a single row is row.reshape(1, -1)."
        )
    return matrix


def _places_of(names: Sequence[str], columns: ModelColumns) -> list[int]:
    """The place in the table of each column of the model, by name, a space being LightGBM's underscore."""
    expected = columns.names if columns.are_named else tuple(names)
    given = [name.replace(" ", "_") for name in names] if columns.are_named else list(expected)
    missing = [name for name in expected if name not in given]
    strange = [
        name for name, known in zip(names, given, strict=True) if known not in expected or given.count(known) > 1
    ]
    if missing or len(given) != len(columns.names):
        raise ValueError(
            f"The table must have the {len(columns.names)} columns of the model, got {len(names)}; missing: "
            f"{', '.join(missing) or 'none'}; not of the model, or twice: {', '.join(strange) or 'none'}. "
            "Pass the columns of explainer.feature_names alone, in any order."
        )
    return [given.index(name) for name in expected] if columns.are_named else list(range(len(names)))


def _matrix_of_table(table: Sequence[TableColumn], names: Sequence[str], columns: ModelColumns) -> Matrix:
    categorical = [place for place, column in enumerate(table) if column.categories is not None]
    if len(categorical) != len(columns.categories):
        found = ", ".join(names[place] for place in categorical) or "none"
        raise ValueError(
            f"The model was trained on {len(columns.categories)} categorical columns, got {len(categorical)}: {found}. "
            "Pass the columns with the types that they had in training."
        )
    known = dict(zip(categorical, columns.categories, strict=True))
    matrix = np.empty((len(table[0].values) if table else 0, len(table)))
    for place, column in enumerate(table):
        matrix[:, place] = _recode(column, known[place]) if place in known else column.values
    return matrix


def _recode(column: TableColumn, known: Sequence[Any]) -> Matrix:
    """The codes that the training data had for the same categories; NaN for others, as LightGBM does."""
    places = {category: float(place) for place, category in enumerate(known)}
    codes = np.array([*(places.get(category, np.nan) for category in column.categories or ()), np.nan])
    recoded: Matrix = codes[column.values]  # -1 is the last, which is NaN
    return recoded


def _pandas_column(frame: Any, place: int, name: str) -> TableColumn:
    series = frame.iloc[:, place]
    if type(series.dtype).__name__ == "CategoricalDtype":
        return TableColumn(np.asarray(series.cat.codes, dtype=np.int64), tuple(series.cat.categories))
    if getattr(series.dtype, "kind", "O") not in "biuf":
        raise ValueError(_not_numbers(name, series.dtype))
    return TableColumn(series.to_numpy(dtype=np.float64, na_value=np.nan))


def _arrow_column(table: Any, place: int, name: str) -> TableColumn:
    column = table.column(place)
    kind = str(column.type)
    if kind.startswith("dictionary"):
        whole = column.unify_dictionaries().combine_chunks() if hasattr(column, "unify_dictionaries") else column
        parts = whole.chunks if hasattr(whole, "chunks") else [whole]
        codes = [np.asarray(part.indices.fill_null(-1)).astype(np.int64) for part in parts]
        return TableColumn(
            np.concatenate([np.zeros(0, np.int64), *codes]), tuple(parts[0].dictionary.to_pylist()) if parts else ()
        )
    if not kind.startswith(("int", "uint", "float", "double", "halffloat", "bool", "null")):
        raise ValueError(_not_numbers(name, kind))
    return TableColumn(
        column.cast("float64").to_numpy().astype(np.float64) if kind != "null" else np.full(len(column), np.nan)
    )


def _not_numbers(name: str, kind: object) -> str:
    return (
        f"Column {name} is {kind}, which is neither a number nor a category. "
        "Pass it with the type that it had in training."
    )
