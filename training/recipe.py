"""A recipe: every choice that turns labels into a model, as one TOML file."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from data.errors import UserError
from training.recipe_schema import (
    AuditRecipe,
    ConstraintRecipe,
    EvaluationRecipe,
    LabelRecipe,
    OneOf,
    RollingRecipe,
    SplitRecipe,
    TitleRecipe,
    TreeRecipe,
    WeightRecipe,
    Within,
)

RECIPES = Path(__file__).resolve().parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """All choices, and the `text` they were read from."""

    name: str
    seed: int
    labels: LabelRecipe
    split: SplitRecipe
    rolling: RollingRecipe
    trees: TreeRecipe
    constraints: ConstraintRecipe
    weights: WeightRecipe
    title: TitleRecipe
    evaluation: EvaluationRecipe
    audit: AuditRecipe
    text: str

    @property
    def digest(self) -> str:
        """The SHA-256 of the text, in hexadecimal digits."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()

    def flat(self) -> Mapping[str, str]:
        """Every choice by its path, such as `trees.leaves`, as text."""
        flat: dict[str, str] = {}
        for name, value in asdict(self).items():
            if isinstance(value, dict):
                flat |= {f"{name}.{key}": str(each) for key, each in value.items()}
            elif name != "text":
                flat[name] = str(value)
        return flat

    def replaced(self, choices: Mapping[str, object]) -> "Recipe":
        """The recipe with other values for choices by their path, such as `trees.leaves`; its comments stay.

        Raises UserError as `read_recipe` does, and for a choice that the text does not state on a line of its own.
        """
        text = self.text
        for path, value in choices.items():
            text = _with_line(text, path, value)
        return recipe_from_text(text)


def read_recipe(name: str = "default") -> Recipe:
    """The recipe called `name` in `training/recipes`, or the TOML file at that path.

    Raises UserError where there is none, or where a value is missing, unknown or out of range.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in RECIPES.glob("*.toml")))
        raise UserError(f"There is no recipe {name!r}. Choose one of {known}, or give the path of a TOML file.")
    try:
        return recipe_from_text(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"The recipe {path} is not UTF-8 text: {error}. Mend the file.") from error


def recipe_from_text(text: str) -> Recipe:
    """The recipe that a TOML text states. Raises UserError as `read_recipe` does."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"The recipe is not valid TOML: {error}. Mend the file.") from error
    recipe = _read(Recipe, "", {**given, "text": text})
    assert isinstance(recipe, Recipe)
    return recipe


def _read(record: type, name: str, given: object) -> object:
    """The record whose fields a TOML table states, each checked against its annotation."""
    where = f"[{name}] of the recipe" if name else "The recipe"
    if not isinstance(given, dict):
        raise UserError(f"{where} must be a section, got {given!r}. Write it as a TOML table.")
    kinds = get_type_hints(record, include_extras=True)
    names = [field.name for field in fields(record)]
    if set(given) != set(names):
        missing, unknown = sorted(set(names) - set(given)), sorted(set(given) - set(names))
        raise UserError(f"{where} lacks {missing} and has unknown {unknown}. Mend the file.")
    values = {
        key: (_read if is_dataclass(kinds[key]) else _value)(kinds[key], f"{name}.{key}".strip("."), given[key])
        for key in names
    }
    return record(**values)


def _value(kind: Any, name: str, given: object) -> object:
    """One choice in its type and range."""
    plain, limits = (get_args(kind)[0], get_args(kind)[1:]) if get_origin(kind) is Annotated else (kind, ())
    value = _typed(plain, name, given)
    for limit in limits:
        inside = (
            limit.least <= value <= limit.most if isinstance(limit, Within)
            else isinstance(limit, OneOf) and {*([value] if isinstance(value, str) else value)} <= {*limit.names}
        )  # fmt: skip
        if not inside:
            raise UserError(f"{name} of the recipe must be {limit}, got {given!r}. Mend the file.")
    return value


def _typed(kind: Any, name: str, given: object) -> Any:
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text in quotes"}
    if get_origin(kind) is tuple:
        if isinstance(given, list) and given and all(isinstance(each, str) for each in given):
            return tuple(given)
        raise UserError(f"{name} of the recipe must be a list of texts, got {given!r}. Mend the file.")
    accepted = (int, float) if kind is float else kind
    if not isinstance(given, accepted) or (isinstance(given, bool) and kind is not bool):
        raise UserError(f"{name} of the recipe must be {words[kind]}, got {given!r}. Mend the file.")
    return kind(given)


def _with_line(text: str, path: str, value: object) -> str:
    """The TOML text with another value on the line of one choice."""
    section, _, key = path.rpartition(".")
    current, lines, found = "", text.splitlines(keepends=True), False
    for number, line in enumerate(lines):
        header = re.match(r"\[(\w+)\]", line)
        current = header.group(1) if header else current
        stated = re.match(rf"({key}\s*=\s*)(\"[^\"]*\"|\[[^\]]*\]|[^\s#]+)", line)
        if stated and current == section:
            lines[number] = stated.group(1) + json.dumps(value) + line[stated.end() :]
            found = True
    if not found:
        raise UserError(f"The recipe does not state {path}. Choose another value to replace.")
    return "".join(lines)
