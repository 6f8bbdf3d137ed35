"""Recipes: read whole, hashed, and refused when a value makes no sense."""

import re
import tomllib
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


def test_every_choice_is_flattened() -> None:
    flat = read_recipe().flatten()
    assert flat["trees.leaves"] == str(read_recipe().trees.leaves)
    assert "text" not in flat


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"leaves": "1"}, r"trees.leaves is 1; it must be a whole number from 2 to 1e\+09"),
        ({"test_share": "1.5"}, "split.test_share is 1.5; it must be a number from 0.01 to 0.99"),
        ({"learning_rate": "nan"}, "trees.learning_rate is nan; it must be a number from 1e-06 to"),
        ({"budget_eur": "inf"}, "evaluation.budget_eur is inf; it must be a number from 1e-06 to"),
        ({"most": "true"}, "trees.most is True; it must be a whole number"),
        ({"most": "2.5"}, "trees.most is 2.5; it must be a whole number"),
        ({"monotone": "1"}, "constraints.monotone is 1; it must be true or false"),
        ({"name": "7"}, "name is 7; it must be a text in quotes"),
        ({"least_severity": '"worst"'}, "labels.least_severity is 'worst'; it must be one of 'minor', 'major', 'criti"),
        ({"origins": '["supplier_provided"]'}, r"labels.origins\[0\] is 'supplier_provided'; it must be one of 'myst"),
        ({"origins": "[]"}, r"labels.origins is \[\]; it must be a list of at least 1"),
        ({"most": "["}, "The recipe is not valid TOML: .* Edit the file"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        small_recipe(**change)


def test_a_section_that_is_no_table_is_refused() -> None:
    text = re.sub(r"\[audit\].*", "", read_recipe().text, flags=re.DOTALL)
    with pytest.raises(UserError, match="audit is 3; it must be a table with days, suspicious_auc"):
        recipe_from_text(f"audit = 3\n{text}")


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.toml")))
def test_every_recipe_in_the_folder_is_read_and_is_called_as_its_file(name: str) -> None:
    assert read_recipe(name).name == name


def test_the_unconstrained_recipe_differs_from_the_default_in_its_constraints_alone() -> None:
    default, free = read_recipe().flatten(), read_recipe("unconstrained").flatten()
    assert {path for path in default if default[path] != free[path]} == {"name", "constraints.monotone"}


def test_a_recipe_of_ones_own_says_what_differs_and_its_text_says_all(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '# Mine.\nname = "mine"\n[labels]\norigins = [\n  "customs",\n]\n[trees]\nleaves = 9\n', encoding="utf-8"
    )
    mine, default = read_recipe(str(path)), read_recipe()
    assert (mine.trees.leaves, mine.labels.origins, mine.text.splitlines()[0]) == (9, ("customs",), "# Mine.")
    assert recipe_from_text(mine.text) == mine
    changed = {choice for choice, value in mine.flatten().items() if value != default.flatten()[choice]}
    assert changed == {"name", "labels.origins", "trees.leaves"}


@pytest.mark.parametrize(("text", "sentence"), [
    ("[trees]\nleaves = 9\n", r"mine\.toml: name is missing; it must be a text in quotes\. Edit the file\."),
    ('name = "mine"\n[trees]\nleafs = 9\n', r"mine\.toml: trees\.leafs is 9; there is no such key, only most, leaves"),
    ('name = "mine"\ntrees = 9\n', r"mine\.toml: trees is 9; it must be a table with most, leaves"),
    ('name = "mine"\n[forest]\nsize = 9\n', r"mine\.toml: forest is {'size': 9}; there is no such key, only name,"),
])  # fmt: skip
def test_a_difference_that_is_none_is_refused_by_its_file(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        read_recipe(str(tmp_path / "mine.toml"))


def test_quick_and_unconstrained_state_nothing_that_the_default_states() -> None:
    default = read_recipe().model_dump(mode="json")
    for name in ("quick", "unconstrained"):
        for key, value in tomllib.loads((RECIPES / f"{name}.toml").read_text(encoding="utf-8")).items():
            assert value != default[key]
            assert not isinstance(value, dict) or all(value[inner] != default[key][inner] for inner in value)


@given(st.integers(2, 300), st.floats(0.01, 1), st.booleans())
def test_replaced_choices_are_read_back_and_no_other_changes(leaves: int, share: float, monotone: bool) -> None:
    choices = {"trees.leaves": leaves, "trees.row_share": share, "constraints.monotone": monotone, "name": "mine"}
    before, after = read_recipe(), read_recipe().with_values(choices)
    assert (after.trees.leaves, after.trees.row_share) == (leaves, share)
    assert (after.constraints.monotone, after.name) == (monotone, "mine")
    changed = {path for path in before.flatten() if before.flatten()[path] != after.flatten()[path]}
    assert changed <= set(choices)
    assert after.text.count("#") == before.text.count("#"), "comments stay"


def test_only_the_section_that_is_named_is_replaced() -> None:
    changed = read_recipe().with_values({"title.ridge": 3.0})
    assert (changed.title.ridge, changed.trees.ridge) == (3.0, read_recipe().trees.ridge)
    with pytest.raises(UserError, match=r"The recipe does not state trees\.nothing"):
        read_recipe().with_values({"trees.nothing": 1})


def test_unknown_and_missing_keys_are_named() -> None:
    text = read_recipe().text.replace("leaves =", "leafs =")
    with pytest.raises(
        UserError, match=r"trees\.leaves is missing; .* trees\.leafs is 7; there is no such key, only most,"
    ):
        recipe_from_text(text)


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="There is no recipe 'nobody'"):
        read_recipe("nobody")


def test_a_recipe_that_is_no_text_is_refused_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "garbled.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"garbled\.toml is not valid TOML: .*utf-8"):
        read_recipe(str(path))


def test_a_recipe_stored_before_learners_were_chosen_means_trees_alone_and_all_of_them() -> None:
    lines, kept = read_recipe().text.splitlines(), []
    section = ""
    for line in lines:
        section = line if line.startswith("[") else section
        if section != "[learner]" and not line.startswith("patience"):
            kept.append(line)
    stored = recipe_from_text("\n".join(kept) + "\n")
    assert (stored.learner.kind, stored.trees.patience) == ("trees", 0)
