"""Dated policies, and the one reader of the TOML files that people edit: a validated record, or what to put right."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, Strict, ValidationError

from data.errors import UserError

POLICY_FOLDER = Path(__file__).resolve().parent.parent / "policy"

T = TypeVar("T")
Several = Annotated[tuple[T, ...], Strict(False)]
"""A TOML list, held as a tuple."""
Names = Annotated[frozenset[str], Strict(False)]
Count = Annotated[int, Field(ge=1)]
Days = Annotated[int, Field(ge=0, le=36_500)]
Share = Annotated[float, Field(ge=0, le=1)]
MarketGroups = Annotated[dict[str, Names], Field(default_factory=dict)]
"""Markets by the name of their group, such as the members of the EEA."""


class TomlTable(BaseModel):
    """A table of a TOML file: no key unknown, each value of its type (a whole number may stand for a number)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def is_in_markets(market: str, names: Sequence[str], groups: Mapping[str, frozenset[str]]) -> bool:
    """Whether a market is one of `names` (markets or groups), of which none stands for every market."""
    return not names or any(market == name or market in groups.get(name, ()) for name in names)


class Policy(TomlTable):
    """A policy: the fields are the keys of `policy/<subject>/<day>.toml`, where each is explained."""

    _subject: ClassVar[str]
    _version: str = PrivateAttr("")

    def __init_subclass__(cls, subject: str) -> None:
        """Name the folder of the policy."""
        cls._subject = subject
        super().__init_subclass__()

    @property
    def version(self) -> str:
        """The day in force and a digest of the file."""
        return self._version


Table = TypeVar("Table", bound=BaseModel)
Dated = TypeVar("Dated", bound=Policy)


def policy_in_force(model: type[Dated], as_of: date, folder: Path = POLICY_FOLDER) -> Dated:
    """The newest policy of a subject whose day is not after `as_of`; for days before the first, the first.

    So the past can be scored again, and the version says by which policy. A file that did not change is not validated
    again. Raises UserError where there is none, or where the file breaks a rule of the model.
    """
    known, asked = _KNOWN.get(), (model, as_of, folder)
    policy = known.get(asked) if known is not None else None
    if policy is None:
        policy = _policy_of_files(model, as_of, folder)
        if known is not None:
            known[asked] = policy
    assert isinstance(policy, model)
    return policy


_KNOWN: ContextVar[dict[tuple[object, ...], Policy] | None] = ContextVar("policies", default=None)


@contextmanager
def policies_read_once() -> Iterator[None]:
    """Within, each policy is read from its files once: a step over many SKUs follows one, whatever is edited then."""
    token = _KNOWN.set({})
    try:
        yield
    finally:
        _KNOWN.reset(token)


def _policy_of_files(model: type[Policy], as_of: date, folder: Path) -> Policy:
    files = sorted((folder / model._subject).glob("*.toml"))
    if not files:
        raise UserError(f"There is no {model._subject} policy. Add policy/{model._subject}/{as_of}.toml.")
    chosen = max((path for path in files if path.stem <= as_of.isoformat()), default=files[0])
    return _read(model, chosen.relative_to(folder.parent).as_posix(), chosen.read_bytes())


@lru_cache(maxsize=64)
def _read(model: type[Policy], source: str, text: bytes) -> Policy:
    policy = validate(model, parse_toml(text, source), source)
    policy._version = f"{Path(source).stem}-{hashlib.sha256(text).hexdigest()[:8]}"
    return policy


def parse_toml(text: bytes, source: str) -> dict[str, Any]:
    """The tables of a TOML text; `source` names the file in the UserError of a text that is not TOML."""
    try:
        return tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source} is not valid TOML: {error}. Edit the file.") from error


def validate(model: type[Table], tables: Mapping[str, Any], source: str) -> Table:
    """The record that TOML tables state.

    Raises UserError with every violation: the file, the key path, the value given and what it may be.
    """
    try:
        return model.model_validate(tables)
    except ValidationError as error:
        schema, errors = model.model_json_schema(), error.errors(include_url=False)
        # A list whose entries are refused is also said to be too short; the entries say enough.
        holders = {each["loc"][:depth] for each in errors for depth in range(len(each["loc"]))}
        problems = dict.fromkeys(_describe_problem(each, schema) for each in errors if each["loc"] not in holders)
        raise UserError(f"{source}: {' '.join(problems)} Edit the file.") from error


def _describe_problem(error: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """The sentence about one violation; a rule across fields names the given values itself."""
    path, node, keys = _locate(error["loc"], schema)
    given = repr(error["input"])
    given = given if len(given) <= 100 else f"{given[:97]}..."
    if error["type"] == "extra_forbidden":
        return f"{path} is {given}; there is no such key, only {', '.join(keys)}."
    if error["type"] == "value_error":
        start = f"{path} is {given}; " if not isinstance(error["input"], dict | list) else f"{path}: " if path else ""
        return f"{start}{error['ctx']['error']}."
    given = "missing" if error["type"] == "missing" else given
    return f"{path or 'the file'} is {given}; it must be {_describe(node, schema)}."


def _locate(location: tuple[int | str, ...], schema: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], list[str]]:
    """The key path of a location such as `band[2].floor`, the JSON schema of its value and the keys beside it."""
    path, node, keys = "", schema, list[str]()
    for part in location:
        holder = _resolve(node, schema)
        if isinstance(part, int):
            path, node = f"{path}[{part}]", holder["prefixItems"][part] if "prefixItems" in holder else holder["items"]
        elif holder.get("type") == "object" and part != "[key]":
            keys = list(holder.get("properties", ()))
            path = f"{path}.{part}".removeprefix(".")
            node = holder.get("properties", {}).get(part) or holder.get("additionalProperties") or {}
    return path, node, keys


def _resolve(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself behind a reference or an option that may be left out."""
    node = next((each for each in node.get("anyOf", ()) if each != {"type": "null"}), node)
    return schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def _describe(node: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What a value may be, in words, by its JSON schema."""
    node = _resolve(node, schema)
    if "enum" in node or "const" in node:
        return f"one of {', '.join(map(repr, node.get('enum', [node.get('const')])))}"
    if node["type"] == "array":
        parts = node.get("prefixItems") or [node["items"]]
        least = f" of at least {node['minItems']}" if "minItems" in node else ""
        return f"a list{least}, each {_describe(parts[0], schema)}"
    if node["type"] == "object":
        keys, values = ", ".join(node.get("properties", ())), node.get("additionalProperties")
        return f"a table with {keys}" if keys else f"a table, each value {_describe(values or {}, schema)}"
    return _KINDS[node.get("format", node["type"])] + _describe_bounds(node)


_KINDS = {
    "integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "a text in quotes",
    "date": "a day such as 2026-01-31",
}  # fmt: skip


def _describe_bounds(node: Mapping[str, Any]) -> str:
    words = {"minimum": "of at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    if {"minimum", "maximum"} <= node.keys():
        return f" from {node['minimum']:g} to {node['maximum']:g}"
    if node.get("minLength"):
        return " that is not empty"
    return "".join(f" {words[key]} {node[key]:g}" for key in words if key in node).replace(" below", " and below")
