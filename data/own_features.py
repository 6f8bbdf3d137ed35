"""`features.toml`: features that a marketplace declares of its own columns and of numbers over time, without code."""

import json
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from data.policy import TomlTable, parse_toml, validate
from data.workspace import Workspace

FILE = "features.toml"
NAME = re.compile(r"[a-z][a-z0-9_]{1,59}")
FeatureKind = Literal["number", "yes/no", "choice", "code"]
ENCODED: tuple[FeatureKind, ...] = ("choice", "code")
"""Kinds whose values become the fail rates that training learned of them."""

Sentence = Annotated[str, Field(min_length=3, max_length=300)]
ColumnName = Annotated[str, Field(min_length=1, max_length=100)]


class OwnFeature(TomlTable):
    """A declared feature: of the column `column` of `skus` or `suppliers`, or of the attribute of that name.

    A number is a number, a yes/no true or false; a choice (few values) or a code (many) is told by how often products
    with the same value failed. Attributes are told by their `latest` value, the `mean` of their values, or the `change`
    of the mean against the time before, each of the last `window_days` (none: all). `direction` is the expected effect
    of a higher number on failing.
    """

    name: Annotated[str, Field(pattern=NAME.pattern)] = Field(default="")
    table: Literal["skus", "suppliers", "attributes"]
    entity: Literal["sku", "supplier", "factory", "category", "market"] | None = None
    column: ColumnName | None = None
    kind: FeatureKind
    meaning: Sentence
    unit: Annotated[str, Field(max_length=40)] = ""
    direction: Literal[-1, 0, 1] = 0
    sentence: Sentence | None = None
    missing: Sentence | None = None
    summary: Literal["latest", "mean", "change"] = "latest"
    window_days: Annotated[int, Field(ge=1, le=36_500)] | None = None

    @cached_property
    def source_column(self) -> str:
        """The column of the table, or the name of the attribute."""
        return self.column or self.name

    @property
    def is_encoded(self) -> bool:
        """Whether its values are told by the fail rates that training learned of them."""
        return self.kind in ENCODED


class FeatureFile(TomlTable):
    """The declarations of a `features.toml`, by name."""

    feature: dict[str, OwnFeature]


def read_own_features(workspace: Workspace) -> tuple[OwnFeature, ...]:
    """The features that the workspace declares, in the order of its file; none where it has no `features.toml`.

    Raises UserError where the file breaks a rule.
    """
    path = workspace.home / FILE
    return parse_own_features(path.read_bytes(), str(path)) if path.is_file() else ()


def parse_own_features(text: bytes, source: str) -> tuple[OwnFeature, ...]:
    """The features that a TOML text declares; `source` names it in errors."""
    declared = validate(FeatureFile, parse_toml(text, source), source)
    return tuple(each.model_copy(update={"name": name}) for name, each in declared.feature.items())


def own_features_to_json(features: Sequence[OwnFeature]) -> str:
    """The declarations as JSON, for the artifact of a model."""
    return json.dumps([each.model_dump(mode="json", exclude_defaults=True) for each in features], indent=1) + "\n"


def own_features_from_json(text: str) -> tuple[OwnFeature, ...]:
    """The declarations that `own_features_to_json` wrote."""
    return tuple(OwnFeature.model_validate(each) for each in json.loads(text))
