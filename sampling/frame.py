"""The sampling frame of a round: validated candidates, in the order of the hashes of their keys."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.errors import UserError
from sampling.problem import Cell, Codes, Floats, Integers, Truths, Words
from sampling.randomness import key_words
from sampling.testing_value import CellHistory

KEY = ("sku_id", "market")
REQUIRED = (*KEY, "category", "p_fail", "as_of")
VERSIONS = ("model_version", "feature_version")
NUMBERS = (
    "exposure", "supplier_tests", "cell_tests", "cell_failures", "days_since_test", "days_since_fail", "harm_weight",
)  # fmt: skip
OPTIONAL = ("supplier_id", *NUMBERS, *VERSIONS)
_TYPE = {"p_fail": pa.float64(), "as_of": pa.date32(), **dict.fromkeys(NUMBERS, pa.float64())}
IN_TEST, LABELLED = "in_test", "labelled"


@dataclass(frozen=True)
class SamplingFrame:
    """Candidates for testing, ordered by `words`, the hash of (sku_id, market); all arrays run along them.

    `rows` are their rows in `table`; `cell` numbers `cells`, the categories and markets; `supplier` is -1 where
    unknown; `exposure` (units sold in 90 days) and `harm_weight` (what a failure weighs) are NaN where unknown.
    `outside` (sku_id, market, category, exposure, why, failed) holds the candidates that are in test or whose result
    still stands. `digest` names this exact content.
    """

    table: pa.Table
    rows: Integers
    words: Words
    p_fail: Floats
    exposure: Floats
    harm_weight: Floats
    new_supplier: Truths
    supplier: Codes
    cell: Codes
    cells: tuple[Cell, ...]
    history: CellHistory
    as_of: date
    outside: pa.Table
    digest: str

    def __len__(self) -> int:
        """How many SKUs may be drawn."""
        return len(self.words)

    def column(self, name: str, units: Integers) -> pa.ChunkedArray:
        """A column of the candidates for some SKUs of the frame; nulls where the candidates have no such column."""
        if name not in self.table.column_names:
            return pa.chunked_array([pa.nulls(len(units), _TYPE.get(name, pa.string()))])
        return self.table[name].take(pa.array(self.rows[units]))


def build_frame(candidates: pa.Table, in_test: pa.Table | None = None, label_valid_days: int = 0) -> SamplingFrame:
    """The frame of a round: the `candidates` without those `in_test` (sku_id, market) or tested lately.

    Candidates have the columns `REQUIRED` and any of `OPTIONAL`. A SKU tested less than `label_valid_days` ago stays
    out: its result stands. Raises UserError where a column is missing, a key is empty or comes twice, a `p_fail` is no
    probability, the scores are of several days, or nothing is left to test.
    """
    table = _select_columns(candidates, REQUIRED, OPTIONAL)
    _require_probabilities(table["p_fail"])
    words = key_words(table["sku_id"], table["market"])
    order = np.argsort(words, kind="stable")
    words = words[order]
    _require_unique_keys(words, order, table)
    waiting = _is_in_test(words, in_test)
    labelled = ~waiting & (_float_column(table, "days_since_test")[order] < label_valid_days)
    outside = _outside_table(table, order, waiting, labelled)
    cells, cell = _encode_cells(table)
    history = _cell_history(table, cell, len(cells), order[waiting])
    if len(outside):
        inside = ~(waiting | labelled)
        order, words = order[inside], words[inside]
    if not len(order):
        raise UserError("There is no candidate SKU to test: the table is empty or all are in test. Score first.")
    as_of = _single_day(table["as_of"])
    contents = [words, table["p_fail"].to_numpy()[order], _float_column(table, "exposure")[order], cell[order],
                _supplier_codes(table)[order]]  # fmt: skip
    harm_weight = _float_column(table, "harm_weight")[order]
    contents += [] if np.isnan(harm_weight).all() else [harm_weight]
    return SamplingFrame(
        table=table, rows=order, words=words, p_fail=contents[1], exposure=contents[2], harm_weight=harm_weight,
        new_supplier=_float_column(table, "supplier_tests")[order] == 0, supplier=contents[4], cell=contents[3],
        cells=cells, history=history, as_of=as_of, outside=outside,
        digest=_digest(contents, (as_of.isoformat(), tuple(map(tuple, cells)), history.pending.tolist())),
    )  # fmt: skip


def _select_columns(table: pa.Table, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> pa.Table:
    """The columns that a plan needs, in its types; UserError where one is missing or of another type."""
    missing = [name for name in required if name not in table.column_names]
    if missing:
        raise UserError(f"The table of SKUs lacks {', '.join(missing)}. Give the columns {', '.join(required)}.")
    names = (*required, *(name for name in optional if name in table.column_names))
    schema = pa.schema([(name, _TYPE.get(name, pa.string())) for name in names])
    try:
        known = table.select(names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(
            f"The table of SKUs has a column of another type: {error}. Give {schema.to_string()}."
        ) from error
    for name in KEY:
        if known[name].null_count:
            raise UserError(f"{known[name].null_count:,} rows of the table of SKUs have no {name}. Leave them out.")
    return known


def _require_probabilities(p_fail: pa.ChunkedArray) -> None:
    possible = pc.and_(pc.greater_equal(p_fail, 0), pc.less_equal(p_fail, 1))
    if p_fail.null_count or not pc.all(possible, min_count=0).as_py():
        raise UserError("Some candidates have a p_fail that is missing or not between 0 and 1. Score them again.")


def _require_unique_keys(in_order: Words, order: Integers, table: pa.Table) -> None:
    twice = np.flatnonzero(in_order[1:] == in_order[:-1])
    if len(twice):
        key = {name: table[name][int(order[twice[0]])].as_py() for name in KEY}
        raise UserError(
            f"SKU {key['sku_id']!r} in market {key['market']!r} is a candidate twice ({len(twice):,} repeats). "
            "Give one row per SKU and market."
        )


def _single_day(column: pa.ChunkedArray) -> date:
    days = pc.unique(column).to_pylist()
    if len(days) != 1 or not isinstance(days[0], date):
        raise UserError(f"The candidates were scored on {days[:3]}. Give the scores of one day.")
    return days[0]


def _float_column(table: pa.Table, name: str) -> Floats:
    """The column as float64, NaN where it is null or absent."""
    if name not in table.column_names:
        return np.broadcast_to(np.float64("nan"), len(table))
    numbers: Floats = pc.fill_null(table[name], float("nan")).to_numpy()
    return numbers


def _is_in_test(in_order: Words, in_test: pa.Table | None) -> Truths:
    waiting = np.zeros(len(in_order), dtype=np.bool_)
    if in_test is not None and len(in_test) and len(in_order):
        known = _select_columns(in_test, KEY)
        words = key_words(known["sku_id"], known["market"])
        position = np.minimum(np.searchsorted(in_order, words), len(in_order) - 1)
        waiting[position[in_order[position] == words]] = True
    return waiting


def _encode_names(column: pa.ChunkedArray) -> tuple[list[str | None], Codes]:
    """The sorted names of a column, the missing one first, and the number of each row's name."""
    encoded = column.dictionary_encode(null_encoding="encode").combine_chunks()
    by_name = pc.array_sort_indices(encoded.dictionary, null_placement="at_start").to_numpy()
    rank = np.empty(len(by_name), dtype=np.int32)
    rank[by_name] = np.arange(len(by_name), dtype=np.int32)
    return encoded.dictionary.take(pa.array(by_name)).to_pylist(), rank[encoded.indices.to_numpy()]


def _encode_cells(table: pa.Table) -> tuple[tuple[Cell, ...], Codes]:
    categories, category = _encode_names(table["category"])
    markets, market = _encode_names(table["market"])
    code = category * len(markets) + market
    present = np.flatnonzero(np.bincount(code))
    number = np.zeros(len(categories) * len(markets), dtype=np.int32)
    number[present] = np.arange(len(present))
    names = tuple(Cell(categories[each // len(markets)], str(markets[each % len(markets)])) for each in present)
    return names, number[code]


def _supplier_codes(table: pa.Table) -> Codes:
    if "supplier_id" not in table.column_names:
        return np.broadcast_to(np.int32(-1), len(table))
    names, number = _encode_names(table["supplier_id"])
    return number - 1 if names and names[0] is None else number


def _cell_history(table: pa.Table, cell: Codes, cells: int, waiting: Integers) -> CellHistory:
    """Test history per cell; all candidates of a cell carry the same counts, so the largest is taken."""
    counts = []
    for name in ("cell_tests", "cell_failures"):
        most = np.zeros(cells)
        if name in table.column_names:
            np.fmax.at(most, cell, _float_column(table, name))
        counts.append(most)
    return CellHistory(counts[0], counts[1], np.bincount(cell[waiting], minlength=cells).astype(np.float64))


def _outside_table(table: pa.Table, order: Integers, waiting: Truths, labelled: Truths) -> pa.Table:
    out = np.flatnonzero(waiting | labelled)
    rows = order[out]
    failed = _float_column(table, "days_since_fail")[rows] <= _float_column(table, "days_since_test")[rows]
    return pa.table({
        **{name: table[name].take(pa.array(rows)) for name in (*KEY, "category")},
        "exposure": pa.array(_float_column(table, "exposure")[rows], from_pandas=True),
        "why": pa.array(np.where(waiting[out], IN_TEST, LABELLED), pa.string()),
        "failed": pa.array(failed, mask=waiting[out]),
    })  # fmt: skip


def _digest(columns: list[np.ndarray], names: object) -> str:
    content = sha256()
    for column in columns:
        content.update(np.ascontiguousarray(column.astype(column.dtype.newbyteorder("<"), copy=False)).data)
    content.update(repr(names).encode())
    return content.hexdigest()
