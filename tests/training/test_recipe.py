"""Recipes: read whole, hashed, and refused when a value makes no sense."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import UserError
from tests.training.worlds import small_recipe
from training.recipe import RECIPES, read_recipe, recipe_from_text


def test_the_default_recipe_keeps_the_trees_fast_to_explain() -> None:
    trees = read_recipe().trees
    assert trees.most * trees.leaves <= 15_000


def test_a_recipe_is_read_from_a_path_too(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(read_recipe().text, encoding="utf-8")
    assert read_recipe(str(tmp_path / "mine.toml")) == read_recipe()


def test_another_value_gives_another_digest() -> None:
    assert small_recipe(seed="1").digest != small_recipe(seed="2").digest


def test_every_choice_is_told_flat() -> None:
    flat = read_recipe().flat()
    assert flat["trees.leaves"] == str(read_recipe().trees.leaves)
    assert "text" not in flat


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"leaves": "1"}, "trees.leaves of the recipe must be at least 2, got 1"),
        ({"test_share": "1.5"}, "split.test_share of the recipe must be from 0.01 to 0.99, got 1.5"),
        ({"learning_rate": "nan"}, "trees.learning_rate of the recipe must be at least 1e-06, got nan"),
        ({"budget_eur": "inf"}, "evaluation.budget_eur of the recipe must be at least 1e-06, got inf"),
        ({"most": "true"}, r"trees.most of the recipe must be a whole number, got True"),
        ({"most": "2.5"}, r"trees.most of the recipe must be a whole number, got 2.5"),
        ({"monotone": "1"}, r"constraints.monotone of the recipe must be true or false, got 1"),
        ({"name": "7"}, "name of the recipe must be a text in quotes, got 7"),
        ({"least_severity": '"worst"'}, "labels.least_severity of the recipe must be among minor, major, critical"),
        ({"origins": '["supplier_provided"]'}, "labels.origins of the recipe must be among mystery_shopper"),
        ({"origins": "[]"}, r"labels.origins of the recipe must be a list of texts, got \[\]"),
        ({"most": "["}, "The recipe is not valid TOML"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        small_recipe(**change)


def test_a_section_that_is_no_table_is_refused() -> None:
    text = re.sub(r"\[audit\].*", "", read_recipe().text, flags=re.DOTALL)
    with pytest.raises(UserError, match=r"\[audit\] of the recipe must be a section, got 3"):
        recipe_from_text(f"audit = 3\n{text}")


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.toml")))
def test_every_recipe_in_the_folder_is_read_and_is_called_as_its_file(name: str) -> None:
    assert read_recipe(name).name == name


def test_the_unconstrained_recipe_differs_from_the_default_in_its_constraints_alone() -> None:
    default, free = read_recipe().flat(), read_recipe("unconstrained").flat()
    assert {path for path in default if default[path] != free[path]} == {"name", "constraints.monotone"}


@given(st.integers(2, 300), st.floats(0.01, 1), st.booleans())
def test_replaced_choices_are_read_back_and_no_other_changes(leaves: int, share: float, monotone: bool) -> None:
    choices = {"trees.leaves": leaves, "trees.row_share": share, "constraints.monotone": monotone, "name": "mine"}
    before, after = read_recipe(), read_recipe().replaced(choices)
    assert (after.trees.leaves, after.trees.row_share) == (leaves, share)
    assert (after.constraints.monotone, after.name) == (monotone, "mine")
    changed = {path for path in before.flat() if before.flat()[path] != after.flat()[path]}
    assert changed <= set(choices)
    assert after.text.count("#") == before.text.count("#"), "comments stay"


def test_only_the_section_that_is_named_is_replaced() -> None:
    changed = read_recipe().replaced({"title.ridge": 3.0})
    assert (changed.title.ridge, changed.trees.ridge) == (3.0, read_recipe().trees.ridge)
    with pytest.raises(UserError, match=r"The recipe does not state trees\.nothing"):
        read_recipe().replaced({"trees.nothing": 1})


def test_unknown_and_missing_keys_are_named() -> None:
    text = read_recipe().text.replace("leaves =", "leafs =")
    with pytest.raises(UserError, match=r"lacks \['leaves'\] and has unknown \['leafs'\]"):
        recipe_from_text(text)


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="There is no recipe 'nobody'"):
        read_recipe("nobody")


def test_a_recipe_that_is_no_text_is_refused_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "garbled.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"garbled\.toml is not UTF-8 text"):
        read_recipe(str(path))
