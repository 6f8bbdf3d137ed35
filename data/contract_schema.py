"""The records that declare the input contract: tables, columns and references between them."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "integer", "number", "day", "truth"]


@dataclass(frozen=True)
class Column:
    """One column: what it holds and what a value must satisfy.

    `choices` closes a text column; `minimum` and `maximum` are inclusive, `above` is an exclusive minimum. A text has
    at most `longest` characters; only `free` text keeps the blanks around it and may hold line ends and characters
    that nobody sees. Of days only the `open_ended` may lie ahead. Ingest warns of spellings of one `grouping` value.
    `default` is what an absent value means.
    """

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    longest: int = 200
    free: bool = False
    open_ended: bool = False
    grouping: bool = False
    default: int | str | None = None


@dataclass(frozen=True)
class ForeignKey:
    """The row's values of `columns`, unless one is missing, must be a key (or part of one) in `table`."""

    columns: tuple[str, ...]
    table: str


@dataclass(frozen=True)
class Table:
    """One table: its columns, its key, what it refers to.

    `one_of` names columns of which at least one must be given.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    required: bool = False
    references: tuple[ForeignKey, ...] = ()
    one_of: tuple[str, ...] = ()

    @property
    def timed(self) -> bool:
        """Whether the rows are events."""
        return any(column.name == "happened_on" for column in self.columns)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of all columns, in order."""
        return tuple(column.name for column in self.columns)
