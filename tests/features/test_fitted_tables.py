"""What training learned survives the disk and falls back sensibly."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.errors import UserError
from features.fitted_tables import (
    SCHEMAS,
    UNTRAINED_RATES,
    FittedTables,
    Prior,
    rates_table,
    read_fitted_tables,
    write_fitted_tables,
)
from tests.features.small_world import REFERENCE


def test_a_written_reference_reads_back_equal(tmp_path: Path) -> None:
    """Every table, in its schema."""
    write_fitted_tables(REFERENCE, tmp_path)
    assert {name: read_fitted_tables(tmp_path)[name] for name in SCHEMAS} == {name: REFERENCE[name] for name in SCHEMAS}


def test_a_fitted_rate_wins_over_the_untrained_one() -> None:
    """And a rate that was not fitted keeps the untrained one."""
    reference = FittedTables({"rates": rates_table({"sku_fail": Prior(0.5, 9.0)})})
    assert reference.prior("sku_fail") == Prior(0.5, 9.0)
    assert reference.prior("return") == UNTRAINED_RATES["return"]


def test_what_an_earlier_version_did_not_write_is_empty(tmp_path: Path) -> None:
    """So that a model of an earlier version can be told by its feature version, and replaced."""
    write_fitted_tables(FittedTables.untrained(), tmp_path)
    for name in ("own_rates.parquet", "own_features.json"):
        (tmp_path / name).unlink()
    read = read_fitted_tables(tmp_path)
    assert (read["own_rates"].num_rows, read.own) == (0, ())


def test_other_columns_are_refused(tmp_path: Path) -> None:
    """The message names found and expected columns."""
    write_fitted_tables(FittedTables.untrained(), tmp_path)
    pq.write_table(pa.table({"word": ["a"]}), tmp_path / "title_words.parquet")
    with pytest.raises(UserError, match=r"has the columns \['word'\], expected \['word', 'weight'\]"):
        read_fitted_tables(tmp_path)
