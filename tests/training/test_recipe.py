"""Recipes: read whole, hashed, and refused when a value makes no sense."""

from pathlib import Path

import pytest

from data.refusal import Refusal
from tests.training.worlds import small_recipe
from training.recipe import read_recipe, recipe_from_text


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
        ({"leaves": "1"}, "trees.leaves above one of the recipe must be above 0"),
        ({"test_share": "1.5"}, "split.test_share of the recipe must be a share between 0 and 1, got 1.5"),
        ({"most": "true"}, r"trees.most of the recipe must be a number \(int\), got True"),
        ({"most": "2.5"}, r"trees.most of the recipe must be a number \(int\), got 2.5"),
        ({"name": "7"}, "The recipe's name must be a text, got 7"),
        ({"most": "["}, "The recipe is not valid TOML"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence):
        small_recipe(**change)


def test_unknown_and_missing_keys_are_named() -> None:
    text = read_recipe().text.replace("leaves =", "leafs =")
    with pytest.raises(Refusal, match=r"lacks \['leaves'\] and has unknown \['leafs'\]"):
        recipe_from_text(text)


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Refusal, match="There is no recipe 'nobody'"):
        read_recipe("nobody")


def test_a_recipe_that_is_no_text_is_refused_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "garbled.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(Refusal, match=r"garbled\.toml is not UTF-8 text"):
        read_recipe(str(path))
