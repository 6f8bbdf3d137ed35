"""A recipe: every setting of a training run as one hashed TOML text."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr

from data.errors import UserError
from data.policy import TomlTable, parse_toml, validate
from training.recipe_schema import (
    AuditRecipe,
    CalibrationRecipe,
    ConstraintRecipe,
    EvaluationRecipe,
    LabelRecipe,
    LearnerRecipe,
    RollingRecipe,
    SplitRecipe,
    TitleRecipe,
    TreeRecipe,
    WeightRecipe,
)

RECIPES = Path(__file__).resolve().parent / "recipes"
DEFAULT = RECIPES / "default.toml"


class Recipe(TomlTable):
    """All settings, and the TOML `text` that states them."""

    name: str
    seed: int
    labels: LabelRecipe
    split: SplitRecipe
    rolling: RollingRecipe
    trees: TreeRecipe
    learner: LearnerRecipe = LearnerRecipe(kind="trees", steps=16, penalties=(300.0,))
    constraints: ConstraintRecipe
    weights: WeightRecipe
    title: TitleRecipe
    evaluation: EvaluationRecipe
    calibration: CalibrationRecipe = CalibrationRecipe(half_life_days=365)
    audit: AuditRecipe
    _text: str = PrivateAttr("")

    @property
    def text(self) -> str:
        """The TOML text of every choice."""
        return self._text

    @property
    def digest(self) -> str:
        """The SHA-256 of the text, in hexadecimal digits."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()

    def flatten(self) -> Mapping[str, str]:
        """Every choice by its path, such as `trees.leaves`, as text."""
        return {path: str(value) for path, value in _list_choices(self.model_dump())}

    def with_values(self, choices: Mapping[str, object]) -> "Recipe":
        """The recipe with other values for choices by their path, such as `trees.leaves`; its comments stay.

        Raises UserError as `read_recipe` does, and for a choice that the text does not state on a line of its own.
        """
        text = self.text
        for path, value in choices.items():
            text = _replace_value(text, path, value)
        return recipe_from_text(text)


def read_recipe(name: str = "default") -> Recipe:
    """The recipe called `name` in `training/recipes`, or the TOML file at that path.

    The file states its name and what differs from the default recipe; the recipe's text states every choice. Raises
    UserError where there is none, or where a value is unknown or out of range.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in RECIPES.glob("*.toml")))
        raise UserError(f"There is no recipe {name!r}. Choose one of {known}, or give the path of a TOML file.")
    source = f"training/recipes/{path.name}" if path.parent == RECIPES else str(path)
    own, text = parse_toml(path.read_bytes(), source), DEFAULT.read_text(encoding="utf-8")
    default = parse_toml(text.encode("utf-8"), "training/recipes/default.toml")
    validate(Recipe, _merge({key: value for key, value in default.items() if key != "name"}, own), source)
    usual = dict(_list_choices(default))
    for choice, value in _list_choices(own):
        if value != usual[choice]:
            text = _replace_value(text, choice, value)
    opening = _opening_comment(path.read_text(encoding="utf-8"))
    return recipe_from_text(opening + text.removeprefix(_opening_comment(text)), source)


def recipe_from_text(text: str, source: str = "The recipe") -> Recipe:
    """The recipe that a TOML text states whole. Raises UserError as `read_recipe` does, and for a choice it lacks."""
    recipe = validate(Recipe, parse_toml(text.encode("utf-8"), source), source)
    recipe._text = text
    return recipe


def _opening_comment(text: str) -> str:
    return "".join(takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))


def _merge(default: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The default's tables with the values that a recipe of one's own gives instead."""
    both = {key for key, value in own.items() if isinstance(value, dict) and isinstance(default.get(key), dict)}
    return {**default, **own, **{key: {**default[key], **own[key]} for key in both}}


def _list_choices(tables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every choice by its path."""
    for name, value in tables.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", each) for key, each in value.items())
        else:
            yield name, value


def _replace_value(text: str, path: str, value: object) -> str:
    """The TOML text with another value on the line of one choice."""
    section, _, key = path.rpartition(".")
    current, lines, replaced = "", text.splitlines(keepends=True), False
    for number, line in enumerate(lines):
        header = re.match(r"\[(\w+)\]", line)
        current = header.group(1) if header else current
        stated = re.match(rf"({key}\s*=\s*)(\"[^\"]*\"|\[[^\]]*\]|[^\s#]+)", line)
        if stated and current == section:
            lines[number] = stated.group(1) + json.dumps(value, ensure_ascii=False) + line[stated.end() :]
            replaced = True
    if not replaced:
        raise UserError(f"The recipe does not state {path}. Choose another value to replace.")
    return "".join(lines)
