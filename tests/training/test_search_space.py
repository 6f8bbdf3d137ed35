"""What a search may change: read whole, refused where it makes no sense."""

from pathlib import Path

import pytest

from data.errors import Refusal
from training.recipe import read_recipe
from training.search_space import read_search_space


def test_the_default_recipe_lies_inside_the_space_and_both_ends_are_recipes() -> None:
    flat = read_recipe().flat()
    for path, each in read_search_space().ranges.items():
        assert each.holds(float(flat[path]))
        assert {"True", "False"} >= {str(each.log)}
        read_recipe().replaced({path: each.low})
        read_recipe().replaced({path: each.high})


def test_no_choice_of_the_space_makes_scores_slow_to_explain() -> None:
    assert read_recipe().trees.most * read_search_space().ranges["trees.leaves"].high <= 15_000


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('["trees.leaves"]\nfrom = 4\nto = 4\nlog = true\n', r"range of trees.leaves must state `from` below `to`"),
        ('["trees.leaves"]\nfrom = 0\nto = 4\nlog = true\n', r"then above 0"),
        ('["trees.leaves"]\nfrom = 1\nto = 4\n', r"range of trees.leaves must state"),
        ("trees = 4\n", "range of trees must state"),
        ("", "names no choice"),
        ("[", "is not valid TOML"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "space.toml").write_text(text, encoding="utf-8")
    with pytest.raises(Refusal, match=sentence):
        read_search_space(tmp_path / "space.toml")
