"""A recipe: every choice that turns labels into a model, as one TOML file."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from data.refusal import Refusal

RECIPES = Path(__file__).resolve().parent / "recipes"


@dataclass(frozen=True)
class SplitRecipe:
    """How labels are divided by time, and by supplier inside the training part.

    Shares are of labels; `test_days` is the shortest test period chosen when none is asked for.
    """

    test_share: float
    test_days: int
    calibration_share: float
    folds: int
    validation_share: float
    minimum_labels: int


@dataclass(frozen=True)
class TreeRecipe:
    """How LightGBM grows its trees.

    Up to `most` trees are tried; `smallest_leaf` counts labels; `feature_share` and `row_share` are drawn anew for
    every tree.
    """

    most: int
    leaves: int
    learning_rate: float
    smallest_leaf: int
    ridge: float
    feature_share: float
    row_share: float
    threads: int


@dataclass(frozen=True)
class TitleRecipe:
    """How the words of a title get their weights: L2 penalty, and which words are kept."""

    ridge: float
    fewest_titles: int
    most_words: int


@dataclass(frozen=True)
class EvaluationRecipe:
    """How the model is judged: bootstrap `replicates`."""

    replicates: int


@dataclass(frozen=True)
class Recipe:
    """All choices, and the `text` they were read from."""

    name: str
    seed: int
    split: SplitRecipe
    trees: TreeRecipe
    title: TitleRecipe
    evaluation: EvaluationRecipe
    text: str

    @property
    def digest(self) -> str:
        """The SHA-256 of the text, in hexadecimal digits."""
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()

    def flat(self) -> Mapping[str, str]:
        """Every choice by its path, such as `trees.leaves`, as text."""
        nested = {key: value for key, value in asdict(self).items() if key != "text"}
        sections = {name: section for name, section in nested.items() if isinstance(section, dict)}
        flat = {name: value for name, value in nested.items() if name not in sections}
        flat |= {f"{name}.{key}": value for name, section in sections.items() for key, value in section.items()}
        return {key: str(value) for key, value in flat.items()}


Section = TypeVar("Section", SplitRecipe, TreeRecipe, TitleRecipe, EvaluationRecipe)


def read_recipe(name: str = "default") -> Recipe:
    """The recipe called `name` in `training/recipes`, or the TOML file at that path.

    Raises Refusal where there is none, or where a value is missing, unknown or out of range.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in RECIPES.glob("*.toml")))
        raise Refusal(f"There is no recipe {name!r}. Choose one of {known}, or give the path of a TOML file.")
    try:
        return recipe_from_text(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise Refusal(f"The recipe {path} is not UTF-8 text: {error}. Mend the file.") from error


def recipe_from_text(text: str) -> Recipe:
    """The recipe that a TOML text states. Raises Refusal as `read_recipe` does."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refusal(f"The recipe is not valid TOML: {error}. Mend the file.") from error
    _expect("the recipe", given, {"name", "seed", "split", "trees", "title", "evaluation"})
    if not isinstance(given["name"], str):
        raise Refusal(f"The recipe's name must be a text, got {given['name']!r}. Put it in quotes.")
    recipe = Recipe(
        name=given["name"],
        seed=_number("seed", given["seed"], int),
        split=_section(SplitRecipe, "split", given),
        trees=_section(TreeRecipe, "trees", given),
        title=_section(TitleRecipe, "title", given),
        evaluation=_section(EvaluationRecipe, "evaluation", given),
        text=text,
    )
    return _checked(recipe)


def _section(record: type[Section], name: str, given: Mapping[str, Any]) -> Section:
    values = given[name]
    if not isinstance(values, dict):
        raise Refusal(f"[{name}] of the recipe must be a section, got {values!r}. Write it as a TOML table.")
    kinds: dict[str, Any] = {field.name: field.type for field in fields(record)}
    _expect(f"[{name}] of the recipe", values, set(kinds))
    return record(**{key: _number(f"{name}.{key}", values[key], kind) for key, kind in kinds.items()})


def _expect(where: str, given: Mapping[str, Any], names: set[str]) -> None:
    if set(given) != names:
        missing, unknown = sorted(names - set(given)), sorted(set(given) - names)
        raise Refusal(f"{where[0].upper()}{where[1:]} lacks {missing} and has unknown {unknown}. Mend the file.")


def _number(name: str, value: object, kind: type) -> Any:
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        raise Refusal(f"{name} of the recipe must be a number ({kind.__name__}), got {value!r}. Mend the file.")
    return kind(value)


def _checked(recipe: Recipe) -> Recipe:
    shares = {
        "split.test_share": recipe.split.test_share,
        "split.calibration_share": recipe.split.calibration_share,
        "split.validation_share": recipe.split.validation_share,
        "trees.feature_share": recipe.trees.feature_share,
        "trees.row_share": recipe.trees.row_share,
    }
    for name, share in shares.items():
        if not 0 < share <= 1 or (name.startswith("split") and share >= 1):
            raise Refusal(f"{name} of the recipe must be a share between 0 and 1, got {share}. Mend the file.")
    positive = {
        "split.test_days": recipe.split.test_days, "trees.most": recipe.trees.most,
        "trees.learning_rate": recipe.trees.learning_rate,
        "trees.smallest_leaf": recipe.trees.smallest_leaf, "trees.threads": recipe.trees.threads,
        "title.ridge": recipe.title.ridge, "title.fewest_titles": recipe.title.fewest_titles,
        "title.most_words": recipe.title.most_words, "split.minimum_labels": recipe.split.minimum_labels,
        "evaluation.replicates": recipe.evaluation.replicates,
        "trees.leaves above one": recipe.trees.leaves - 1, "split.folds above one": recipe.split.folds - 1,
    }  # fmt: skip
    for name, value in positive.items():
        if value <= 0:
            raise Refusal(f"{name} of the recipe must be above 0, got {value}. Mend the file.")
    if recipe.trees.ridge < 0:
        raise Refusal(f"trees.ridge of the recipe must not be negative, got {recipe.trees.ridge}. Mend the file.")
    return recipe
