"""A memory-mapped table tells the same however its rows lie in batches."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UserError
from features.snapshot import storage
from features.snapshot.storage import (
    NO_ROW,
    HashIndex,
    MemoryMappedTable,
    coded_rows,
    key_hash,
    vector_columns,
    write_hash_index,
    write_table,
)

SIZES = st.lists(st.integers(1, 7), max_size=12)
TEXT = st.text("ab\x00é\U0001f600", max_size=3)
KEYS = st.lists(st.tuples(TEXT, TEXT), unique=True, max_size=25)


def in_batches(path: Path, rows: pa.RecordBatch, sizes: list[int]) -> MemoryMappedTable:
    """The rows written in batches of these sizes, the rest in a last one, which may be empty."""
    starts = [0]
    for size in sizes:
        starts.append(min(starts[-1] + size, rows.num_rows))
    write_table(path, (rows.slice(a, b - a) for a, b in pairwise([*starts, rows.num_rows])), rows.schema)
    return MemoryMappedTable(path)


def batch_of(keys: list[tuple[str, str]]) -> pa.RecordBatch:
    """Keys with a number, an owner of every three rows, and vectors."""
    numbers = np.arange(len(keys), dtype=np.int64)
    features, links = numbers[:, None] + np.array([0.25, 0.5]), np.full((len(keys), 1), 7, np.int32)
    vectors = vector_columns(features=features, links=links)
    first, second = ([key[place] for key in keys] for place in (0, 1))
    return pa.RecordBatch.from_pydict({
        "first": pa.array(first, pa.string()), "second": pa.array(second, pa.string()), "number": numbers,
        "owner": pa.array(numbers // 3, pa.int32()), **vectors,
    })  # fmt: skip


@settings(deadline=None)
@given(keys=KEYS, sizes=SIZES)
def test_every_look_up_finds_what_was_written(
    keys: list[tuple[str, str]], sizes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Values, spans, arrays, vectors, sorted keys and the rows of an owner."""
    keys = sorted(keys, key=lambda key: [text.encode() for text in key])
    rows = batch_of(keys)
    table = in_batches(tmp_path_factory.mktemp("table") / "rows.arrow", rows, sizes)
    assert len(table) == len(keys)
    assert [table.value("second", row) for row in range(len(keys))] == [key[1] for key in keys]
    assert table.columns(["number"]).to_pydict()["number"] == table.array("number").tolist() == list(range(len(keys)))
    assert table.columns(["first"], 1, 3).to_pydict()["first"] == [key[0] for key in keys[1:3]]
    assert [table.find(("first", "second"), key) for key in keys] == list(range(len(keys)))
    assert table.find(("first", "second"), ("c", "")) == NO_ROW
    for owner in range(-1, len(keys) // 3 + 2):
        assert table.rows_of("owner", owner) == [row for row in rows.to_pylist() if row["owner"] == owner]
    for owners in ([], [0], [5, -1, 2, 5], range(-1, len(keys))):
        one_by_one = {owner: found for owner in owners if (found := table.rows_of("owner", owner))}
        assert table.rows_of_each("owner", owners) == one_by_one
    asked = np.array([*range(len(keys)), NO_ROW], dtype=np.int64)[::-1]
    expected = np.where(asked < 0, np.nan, asked)[:, None] + np.array([0.25, 0.5])
    np.testing.assert_array_equal(table.vectors("features", asked), expected)
    assert table.vectors("links", asked)[:, 0].tolist() == [NO_ROW, *[7] * len(keys)]
    assert table.vectors("absent", asked).shape == (len(keys) + 1, 0)
    assert table.component("features", 1).tolist() == [row + 0.5 for row in range(len(keys))]


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(*[st.floats() | st.sampled_from([0.0, -0.0, 1.0])] * 3), max_size=40),
    most_codes=st.integers(3, 70),
)
def test_coded_vectors_are_the_numbers_that_were_given_bit_for_bit(
    rows: list[tuple[float, ...]], most_codes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However many distinct numbers there are; also of a row that comes twice, and of one that is missing."""
    matrix = np.array(rows, dtype=np.float64).reshape(len(rows), 3)
    path = tmp_path_factory.mktemp("coded") / "rows.arrow"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "MOST_CODES", most_codes)
        write_table(path, coded_rows(pa.RecordBatch.from_pydict({"row": np.arange(len(rows))}), "numbers", matrix))
    table = MemoryMappedTable(path)
    asked = np.array([*range(len(rows)), *range(len(rows))], dtype=np.int64)
    expected = np.concatenate([matrix, matrix]).view(np.int64)
    np.testing.assert_array_equal(table.vectors("numbers", asked).view(np.int64), expected)
    np.testing.assert_array_equal(table.component("numbers", 1).view(np.int64), matrix.view(np.int64)[:, 1])
    assert np.isnan(table.vectors("numbers", np.array([NO_ROW]))).all()
    assert table.array("row").tolist() == list(range(len(rows)))


@settings(deadline=None)
@given(keys=KEYS, sizes=SIZES, hashes=st.sampled_from([key_hash, lambda first, second: len(first + second)]))
def test_a_hash_index_finds_every_key_and_no_other(
    keys: list[tuple[str, str]], sizes: list[int], hashes: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also where keys share a hash."""
    folder = tmp_path_factory.mktemp("index")
    table = in_batches(folder / "rows.arrow", batch_of(keys), sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "key_hash", hashes)
        write_hash_index(folder / "index.arrow", np.array([storage.key_hash(*key) for key in keys], dtype=np.uint64))
        index = HashIndex(folder / "index.arrow", table, ("first", "second"))
        found = index.find([*(key[0] for key in keys), "c"], [*(key[1] for key in keys), ""])
    assert found.tolist() == [*range(len(keys)), NO_ROW]


def test_an_array_of_one_batch_is_the_file_itself(tmp_path: Path) -> None:
    """It takes no memory of its own, and cannot be written to."""
    numbers = in_batches(tmp_path / "rows.arrow", batch_of([("a", "b")] * 9), []).array("number")
    assert not numbers.flags.owndata
    assert not numbers.flags.writeable


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    """Absent or cut short."""
    in_batches(tmp_path / "rows.arrow", batch_of([("a", "b")]), [])
    (tmp_path / "cut.arrow").write_bytes((tmp_path / "rows.arrow").read_bytes()[:-20])
    for name in ("absent.arrow", "cut.arrow"):
        with pytest.raises(UserError, match=rf"{name} cannot be read.*Write it again with `touchstone score`"):
            MemoryMappedTable(tmp_path / name)
