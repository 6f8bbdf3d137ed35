"""Databases of other people: connections through Ibis, and the rows of a mapped table as Parquet."""

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from ibis.backends import BaseBackend

from data.errors import UserError

ROWS_AT_ONCE = 100_000
FILE_DATABASES = ("duckdb", "sqlite")
WATERMARK = "watermark__"
ENGINE_WORDS = re.compile(r"^\s*\(?[\w.]*\)?\s*[A-Z]\w+ Error: ")


@dataclass(frozen=True)
class Relation:
    """What is read of a database: a table, with its schema where one is named, or a query in the database's SQL."""

    table: str | None = None
    query: str | None = None

    def rows(self, database: BaseBackend) -> ir.Table:
        """Its rows, lazily."""
        if self.query is not None:
            return database.sql(self.query)
        schema, _, name = str(self.table).rpartition(".")
        return database.table(name, database=schema or None)


def split_address(address: str) -> tuple[str, str | None]:
    """The address of the database, and the table that stands behind its name (`postgresql://host/shop.listings`)."""
    parts = urlsplit(address)
    name = parts.path.rpartition("/")[2]
    if parts.scheme in FILE_DATABASES or "." not in name:
        return address, None
    database, _, table = name.partition(".")
    return parts._replace(path=parts.path[: -len(name)] + database).geturl(), table


@contextmanager
def connect_database(address: str, folder: Path) -> Iterator[BaseBackend]:
    """A connection that only reads; the file of an embedded database is named from `folder` where it is relative.

    Raises UserError, without the password, where the database cannot be reached or says no.
    """
    parts = urlsplit(address)
    if parts.scheme in FILE_DATABASES:
        path = _database_file(parts.scheme, parts.netloc + parts.path, folder)
        address = f"{parts.scheme}://{path}{'?read_only=True' if parts.scheme == 'duckdb' else ''}"
    with translate_database_errors(hide_password(address)):
        database = ibis.connect(address)
    try:
        yield database
    finally:
        database.disconnect()


def _database_file(kind: str, given: str, folder: Path) -> Path:
    """The file; `sqlite:///shop.db` may be relative, as for SQLAlchemy, where the root holds no such file."""
    path = next((each for each in (folder / given, folder / given.lstrip("/")) if each.is_file()), None)
    if path is None:
        raise UserError(f"There is no database {folder / given}. Give the path of the file: {kind}:///PATH.")
    return path.resolve()


@contextmanager
def translate_database_errors(name: str) -> Iterator[None]:
    """Turn what a driver says into a UserError that names the database or the entry.

    Ibis 12 calls what DuckDB 1.5 and pandas 3 have deprecated; that is no news to a user.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    except (UserError, MemoryError, OSError):
        raise
    except Exception as error:  # drivers share no class of errors
        said = " ".join(ENGINE_WORDS.sub("", str(error).split("LINE ")[0]).split()).rstrip(".")
        raise UserError(
            f"{name} cannot be read: {said or type(error).__name__}. Mend the entry in sources.toml or the database."
        ) from error


def hide_password(address: str) -> str:
    """The address without its password."""
    try:
        return sa.make_url(address).render_as_string(hide_password=True)
    except (sa.exc.ArgumentError, ValueError):
        return address.partition("://")[0]


def select_expressions(
    database: BaseBackend, relation: ir.Table, columns: Mapping[str, str], condition: str | None
) -> ir.Table:
    """The expressions `columns`, in the database's SQL by their new names, of the rows that satisfy `condition`."""
    import sqlglot.expressions as sge

    dialect = database.dialect
    items = ", ".join(
        f"({expression}) AS {sge.to_identifier(name, quoted=True).sql(dialect)}" for name, expression in columns.items()
    )
    where = f" WHERE {condition}" if condition else ""
    rows = database.sql(f"SELECT {items} FROM ({database.compile(relation)}) AS rows{where}")  # noqa: S608 - the operator's own
    plain = (dt.String, dt.Numeric, dt.Date, dt.Timestamp, dt.Null)  # numeric types have booleans among them
    others = {name: rows[name].cast("string") for name in rows.columns if not isinstance(rows[name].type(), plain)}
    return rows.mutate(**others) if others else rows


def quote_column(database: BaseBackend, name: str) -> str:
    """The name as the database's SQL quotes it."""
    import sqlglot.expressions as sge

    return f"rows.{sge.to_identifier(name, quoted=True).sql(database.dialect)}"


def rows_since(rows: ir.Table, watermark: str | None) -> ir.Table:
    """The rows at or above the watermark, and those without one; all where it is None."""
    if watermark is None:
        return rows
    mark = rows[WATERMARK]
    return rows.filter((mark >= ibis.literal(watermark).cast(mark.type())) | mark.isnull())


def write_rows(database: BaseBackend, rows: ir.Table, path: Path) -> int:
    """Write the rows to a Parquet file, batch by batch; return how many there were."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written, schema = 0, rows.schema().to_pyarrow()
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in database.to_pyarrow_batches(rows, chunk_size=ROWS_AT_ONCE):
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))
            written += batch.num_rows
    return written


def plain_value(value: Any) -> str:
    """A value as text that the database reads again."""
    return value.isoformat(sep=" ") if hasattr(value, "hour") else str(value)
