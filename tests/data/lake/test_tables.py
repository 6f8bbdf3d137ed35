"""Tables in memory carry the contract's schema, whatever the frame lacks."""

import pandas as pd
import pyarrow as pa
import pytest

from data.contract import TABLES
from data.contract_schema import Table
from data.lake.tables import schema_of, tables_from_frames
from tests.data.small_marketplace import good_frames


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_has_every_contract_column_whether_given_or_not(table: Table) -> None:
    given = tables_from_frames({table.name: good_frames()[table.name].replace({"1.0": "1"})})
    assert given[table.name].schema() == schema_of(table) == tables_from_frames({})[table.name].schema()


def test_where_known_on_is_absent_it_is_the_day_it_happened() -> None:
    frame = good_frames()["returns"].assign(known_on=pd.Series([None, "2025-02-28", None], dtype=object))
    rows = tables_from_frames({"returns": frame})["returns"].order_by("return_id").known_on.to_pyarrow().to_pylist()
    assert [str(day) for day in rows] == ["2025-01-10", "2025-02-28", "2025-03-10"]


def test_pandas_and_arrow_frames_mean_the_same() -> None:
    frame = pd.DataFrame({"supplier_id": ["s1"], "onboarded_on": ["2020-01-01"]})
    rows = [
        tables_from_frames({"suppliers": given})["suppliers"].to_pyarrow()
        for given in (frame, pa.Table.from_pandas(frame))
    ]
    assert rows[0].equals(rows[1])


def test_a_column_without_a_single_value_may_have_no_type() -> None:
    frame = pa.table({**good_frames()["orders"].to_dict("list"), "known_on": pa.nulls(3), "units": pa.nulls(3)})
    rows = tables_from_frames({"orders": frame})["orders"].to_pyarrow().to_pydict()
    assert rows["units"] == [None] * 3
    assert rows["known_on"] == rows["happened_on"]
