"""What the queue takes from the scoring before."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.snapshot.storage import MemoryMappedTable, write_table
from serving.review_queue import build
from serving.review_queue.build import KEY, rows_in_both

KEYS = st.lists(st.tuples(st.text("ab\U0001f600", max_size=2), st.sampled_from(["DE", "US"])), unique=True, max_size=20)


class _Catalogue:
    """The keys of a snapshot, and nothing else of it."""

    def __init__(self, keys: list[tuple[str, str]], path: Path) -> None:
        sku_ids, markets = ([key[place] for key in keys] for place in (0, 1))
        columns = {"sku_id": pa.array(sku_ids, pa.string()), "market": pa.array(markets, pa.string())}
        write_table(path, [pa.RecordBatch.from_pydict(columns)])
        self._table = MemoryMappedTable(path)

    def __len__(self) -> int:
        return len(self._table)

    def keys(self, start: int, stop: int) -> pa.Table:
        return self._table.columns(KEY, start, stop)

    def position_from(self, sku_id: str, market: str) -> int:
        return self._table.lower_bound(KEY, (sku_id, market))


@given(now=KEYS, then=KEYS, draw=st.randoms(use_true_random=False))
def test_a_sku_is_matched_with_itself_in_the_catalogue_before(
    now: list[tuple[str, str]], then: list[tuple[str, str]], draw: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever came and went between the two, span by span."""
    now, then, folder = sorted(now), sorted(then), tmp_path_factory.mktemp("catalogues")
    chosen = np.array([draw.random() < 0.7 for _ in now], dtype=bool)
    both = [cast(Any, _Catalogue(keys, folder / name)) for name, keys in (("now", now), ("then", then))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "ROWS_AT_ONCE", 3)
        matches = [row for some in rows_in_both(both[0], both[1], chosen) for row in some.to_pylist()]
    expected = {row: then.index(key) for row, key in enumerate(now) if chosen[row] and key in then}
    assert {match["row"]: match["earlier"] for match in matches} == expected
