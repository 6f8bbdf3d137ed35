"""`features.toml`: features that a marketplace declares of its own columns and of numbers over time, without code."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from data.contract import BY_NAME
from data.contract_schema import Column, Kind, Table
from data.errors import UserError
from data.policy import POLICY_FOLDER, Names, Policy, TomlTable, parse_toml, policy_in_force, validate
from data.workspace import Workspace

FILE = "features.toml"
NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
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

    name: str = ""
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

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.entity is not None) != (self.table == "attributes"):
            raise ValueError('entity says what attributes are of: give it with table = "attributes", and only there')
        if self.table != "attributes" and (self.summary != "latest" or self.window_days is not None):
            raise ValueError("summary and window_days are of attributes: columns have no days")
        if self.is_encoded and (self.summary != "latest" or self.direction):
            raise ValueError("a choice or code is told by its latest value, and has no direction")
        if self.summary == "change" and self.window_days is None:
            raise ValueError("a change needs window_days, the days that are compared with as many before them")
        return self

    @cached_property
    def source_column(self) -> str:
        """The column of the table, or the name of the attribute."""
        return self.column or self.name

    @property
    def is_encoded(self) -> bool:
        """Whether its values are told by the fail rates that training learned of them."""
        return self.kind in ENCODED


SUGGESTED = f"""# Columns that ingest left out; their kinds are guessed from the first rows. What is known of a
# product before it is tested may be copied into {FILE} beside this file, with a meaning that a reason can show.
"""


class FeatureFile(TomlTable):
    """The declarations of a `features.toml`, by name."""

    feature: dict[str, OwnFeature]


class OwnFeaturePolicy(Policy, subject="own_features"):
    """The policy `own_features`: words that no own feature may hold, with the reason, and columns that are none.

    `barred_of_suppliers` are words that features of suppliers and factories may not hold besides.
    """

    barred: dict[str, str]
    barred_of_suppliers: dict[str, str]
    barred_columns: dict[Literal["skus", "suppliers"], Names]

    def why_barred(self, table: str, entity: str | None, column: str, *texts: str) -> str | None:
        """Why a column, or a feature told by these texts, can not be declared; None where it can."""
        of_supplier = table == "suppliers" or entity in ("supplier", "factory")
        barred = {**self.barred, **(self.barred_of_suppliers if of_supplier else {})}
        if column in self.barred_columns.get(table, ()):  # type: ignore[call-overload]
            return f"the column {column} of {table} is no feature"
        words = {word for text in (column, *texts) for word in re.split(r"[^a-z0-9]+", text.lower())}
        return next((f"{why} ({word})" for word, why in barred.items() if word in words), None)


def features_path(workspace: Workspace) -> Path:
    """The file of a workspace that declares own features."""
    return workspace.home / FILE


def read_own_features(workspace: Workspace, today: date, folder: Path = POLICY_FOLDER) -> tuple[OwnFeature, ...]:
    """The features that the workspace declares, in the order of its file; none where it has no `features.toml`.

    Raises UserError where the file breaks a rule, or declares what the policy of `today` bars.
    """
    path = features_path(workspace)
    if not path.is_file():
        return ()
    policy = policy_in_force(OwnFeaturePolicy, today, folder)
    declared = validate(FeatureFile, parse_toml(path.read_bytes(), str(path)), str(path))
    features = tuple(each.model_copy(update={"name": name}) for name, each in declared.feature.items())
    for each in features:
        if not NAME.fullmatch(each.name):
            raise UserError(f"{path}: {each.name!r} can be no feature's name. Write letters a-z, digits and _.")
        barred = policy.why_barred(each.table, each.entity, each.source_column, each.name, each.meaning)
        if barred:
            raise UserError(f"{path}: feature.{each.name} is refused: {barred}. Take it out of the file.")
    return features


def write_suggestions(workspace: Workspace, lines: str) -> Path:
    """Write lines that a person may copy into `features.toml` to a file of the workspace, and return its path."""
    path = workspace.home / "features.suggested.toml"
    path.write_text(f"{SUGGESTED}\n{lines}", encoding="utf-8")
    return path


KINDS: Mapping[FeatureKind, Kind] = {"number": "number", "yes/no": "truth", "choice": "text", "code": "text"}


def contract_of(features: Sequence[OwnFeature]) -> Mapping[str, Table]:
    """The tables of the contract by name, `skus` and `suppliers` with the columns that own features are declared of."""
    tables = dict(BY_NAME)
    for each in features:
        table = tables[each.table]
        if each.table != "attributes" and each.source_column not in table.column_names:
            own = Column(each.source_column, KINDS[each.kind], each.meaning)
            tables[each.table] = replace(table, columns=(*table.columns, own))
    return tables


def own_columns_digest(table: Table) -> str:
    """Digest of the columns that a table has beside those of the contract; empty where it has none."""
    own = [(column.name, column.kind) for column in table.columns if column not in BY_NAME[table.name].columns]
    return hashlib.sha256(json.dumps(own).encode()).hexdigest()[:16] if own else ""


def own_features_to_json(features: Sequence[OwnFeature]) -> str:
    """The declarations as JSON, for the artifact of a model."""
    return json.dumps([each.model_dump(mode="json", exclude_defaults=True) for each in features], indent=1) + "\n"


def own_features_from_json(text: str) -> tuple[OwnFeature, ...]:
    """The declarations that `own_features_to_json` wrote."""
    return tuple(OwnFeature.model_validate(each) for each in json.loads(text))
