"""The file `sources.toml`: where each contract table comes from, and what each of its columns is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, Field, create_model, model_validator

from data.contract import BY_NAME
from data.contract_schema import Table
from data.errors import UserError
from data.object_storage import is_in_object_storage
from data.policy import Several, TomlTable, parse_toml, validate
from data.settings import VARIABLE, expand_variables
from data.workspace import Workspace

FILE_NAME = "sources.toml"
Text = Annotated[str, Field(min_length=1)]
Constant = str | bool | int | float | date


class ColumnSource(TomlTable):
    """What a column of the contract is made of: a column of the source, an expression in its SQL, or a constant.

    `map` turns values into others: a table, or a CSV file with the two columns `from` and `to`; what it does not name
    is `otherwise`, or stays as it is. `format` tells how days are written (strptime); ISO 8601 is always read.
    """

    column: Text | None = None
    expression: Text | None = None
    const: Constant | None = None
    map: Text | dict[str, str] | None = None
    otherwise: str | None = None
    format: Text | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = [name for name in ("column", "expression", "const") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of column, expression, const; {' and '.join(given) or 'none'} is given")
        if self.const is not None and (self.map is not None or self.format is not None):
            raise ValueError("a const takes no map and no format")
        if self.otherwise is not None and self.map is None:
            raise ValueError("otherwise belongs to a map, and there is none")
        if self.map is not None and self.format is not None:
            raise ValueError("a column takes a map or a format, not both")
        return self


def _name_column(told: object) -> object:
    """A text names a column of the source."""
    return {"column": told} if isinstance(told, str) else told


Made = Annotated[ColumnSource, BeforeValidator(_name_column)]


class FileForm(TomlTable):
    """What is told about the form of files, where it is not to be guessed."""

    encoding: Text | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[",", "."] | None = None
    skip_lines: Annotated[int, Field(ge=0)] | None = None
    sheet: Text | None = None


class TableSource(FileForm):
    """Where a table comes from; the columns are the fields that the model of each contract table adds.

    `from` is a connection's name, a database's address, or files (a path, a pattern or a list, from the folder of
    `sources.toml`). `table` or `query` says what of a database; a `query` on files calls their rows `rows`. `filter`
    is a condition in the source's SQL. With `incremental`, a column or expression, only rows are fetched whose value
    is at least the greatest of the last ingest, and they replace the lake's rows by key; rows that satisfy the
    condition `deleted` are taken out.
    """

    from_: Annotated[Text | Several[Text], Field(alias="from")]
    table: Text | None = None
    query: Text | None = None
    filter: Text | None = None
    incremental: Text | None = None
    deleted: Text | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.table and self.query:
            raise ValueError("give a table or a query, not both")
        if self.incremental and not isinstance(self.from_, str):
            raise ValueError("incremental belongs to a database; files are known by their content")
        if self.deleted is not None and self.incremental is None:
            raise ValueError("deleted belongs to an incremental table: name the column that says what is new")
        return self

    def column_sources(self, table: Table) -> dict[str, ColumnSource]:
        """What is told of the columns of `table`, by name, in the contract's order."""
        told = {name: getattr(self, f"column_{name}") for name in table.column_names}
        return {name: each for name, each in told.items() if each is not None}


def _table_model(table: Table) -> type[TableSource]:
    # Fields of another name than the key, which may be one of pydantic's own, such as `register`.
    columns: Mapping[str, Any] = {
        f"column_{name}": (Made | None, Field(None, alias=name)) for name in table.column_names
    }
    return create_model(f"{table.name}_source", __base__=TableSource, **columns)


def _file_model(contract: Mapping[str, Table]) -> type[BaseModel]:
    tables: Mapping[str, Any] = {name: (_table_model(table) | None, None) for name, table in contract.items()}
    connections: Any = (dict[str, Text], Field(default_factory=dict))
    return create_model("_TableSources", __base__=TomlTable, connections=connections, **tables)


@dataclass(frozen=True)
class SourcesFile:
    """A validated `sources.toml`: the tables in the contract's order, and the addresses of connections by name.

    `contract` holds the contract's tables by name, with the columns that own features are declared of.
    """

    path: Path
    tables: Mapping[str, TableSource]
    connections: Mapping[str, str]
    contract: Mapping[str, Table]

    def address(self, origin: str) -> str | None:
        """The address of the database that a `from` names, with its secrets; None where it names files, also elsewhere.

        Raises UserError where a variable of the environment is not set.
        """
        address = self.connections.get(origin, origin)
        return expand_address(address) if "://" in address and not is_in_object_storage(address) else None

    @property
    def folder(self) -> Path:
        """The folder from which files are named."""
        return self.path.parent


def expand_address(address: str) -> str:
    """The address with the variables of the environment; a user or password may hold any letter."""
    user, at, place = address.rpartition("@")
    return expand_variables(user, encode=partial(quote, safe="")) + at + expand_variables(place)


def sources_path(workspace: Workspace) -> Path:
    """The file that is read where none is named."""
    return workspace.home / FILE_NAME


def _require_no_password(address: str, path: Path) -> None:
    """Raise UserError where an address holds a password rather than a variable of the environment."""
    user, _, place = address.rpartition("@")
    password = user.partition("://")[2].partition(":")[2]
    if password and not VARIABLE.fullmatch(password):
        raise UserError(f"{path} holds the password of {place}. Write ${{NAME}} in its place, and set that variable.")


def read_sources(path: Path, contract: Mapping[str, Table] = BY_NAME) -> SourcesFile:
    """Read and validate a `sources.toml` that maps tables of `contract`.

    Raises UserError where it is missing, not TOML, holds a password, or breaks a rule: each with the key, the value and
    what it may be.
    """
    if not path.is_file():
        raise UserError(
            f"There is no {path}. Give the folder of your tables (touchstone ingest DIR), or write the file: "
            "touchstone sources init ADDRESS."
        )
    read: Any = validate(_file_model(contract), parse_toml(path.read_bytes(), str(path)), str(path))
    tables = {name: getattr(read, name) for name in contract if getattr(read, name) is not None}
    if not tables:
        raise UserError(f'{path} maps no table. Add one, such as [skus] with from = "FILE or ADDRESS".')
    origins = (each.from_ for each in tables.values() if isinstance(each.from_, str))
    for address in (*read.connections.values(), *origins):
        _require_no_password(address, path)
    return SourcesFile(path, tables, read.connections, contract)
