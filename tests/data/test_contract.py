"""The declarations agree with themselves, and the README with them."""

import pytest

from data.contract import BY_NAME, TABLES
from data.contract_docs import BEGIN, END, README, update_table_list
from data.contract_schema import Table

each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


@each_table
def test_a_key_is_made_of_columns_that_no_row_lacks(table: Table) -> None:
    present = {column.name for column in table.columns if column.required or column.default is not None}
    assert set(table.key) <= present


@each_table
def test_what_a_table_refers_to_comes_before_it_is_required_and_is_part_of_a_key(table: Table) -> None:
    for reference in table.references:
        parent = BY_NAME[reference.table]
        assert TABLES.index(parent) < TABLES.index(table)
        assert parent.required
        assert set(reference.columns) <= set(parent.key)
        assert set(reference.columns) <= set(table.column_names)


@each_table
def test_columns_are_named_once_and_one_of_names_columns(table: Table) -> None:
    assert len(set(table.column_names)) == len(table.column_names)
    assert set(table.one_of) <= set(table.column_names)
    assert not {"row_number", "broken_rules", "line", "line_number"} & set(table.column_names)


@each_table
def test_only_text_has_choices_and_only_numbers_have_ranges(table: Table) -> None:
    for column in table.columns:
        assert not column.choices or column.kind == "text"
        assert (column.minimum is None and column.maximum is None) or column.kind in ("integer", "number")


def test_only_suppliers_skus_and_lab_tests_are_required() -> None:
    assert [table.name for table in TABLES if table.required] == ["suppliers", "skus", "lab_tests"]


def test_the_readme_lists_the_contract_in_force() -> None:
    text = README.read_text(encoding="utf-8")
    assert update_table_list(text) == text, "run `python -m data.contract_docs`"


def test_the_list_names_every_table_and_column_and_touches_nothing_else() -> None:
    text = update_table_list(f"before\n{BEGIN}\nstale\n{END}\nafter\n")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "stale" not in text
    for table in TABLES:
        assert f"### {table.name} (" in text
        assert all(f"`{name}`" in text for name in table.column_names)


def test_a_text_without_the_markers_is_an_error() -> None:
    with pytest.raises(ValueError, match="must hold the lines"):
        update_table_list("no markers here")
