"""Embedded DuckDB: connections with their threads, memory and spill folder."""

from collections.abc import Callable, Iterable
from pathlib import Path

import duckdb
import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend

SHARE_OF_DEFAULT = 0.6
MOST_GIB = 3.0
"""More makes nothing faster, and a night of ten million SKUs is to fit in 8 GiB."""
GIB = {"bytes": 2**-30, "KiB": 2**-20, "MiB": 2**-10, "GiB": 1.0, "TiB": 2**10}
STREAM_BUFFER = "64MiB"
"""What may be made ahead of a reader that takes a result batch by batch."""


def connect(spill: Path) -> Backend:
    """A fresh in-memory DuckDB that uses every core and spills into the folder `spill`, its own alone.

    DuckDB allows itself 80 % of the machine (or of its container); this takes 60 % of that and MOST_GIB at most,
    because Arrow buffers and the Parquet writer live outside its account. Days are read in UTC, so that a timestamp
    with a zone falls on the same day on every machine.
    """
    backend = ibis.duckdb.connect()
    amount, unit = str(backend.raw_sql("SELECT current_setting('memory_limit')").fetchall()[0][0]).split()
    backend.raw_sql(f"SET memory_limit = '{min(float(amount) * GIB[unit] * SHARE_OF_DEFAULT, MOST_GIB):.3f}GiB'")
    spill.parent.mkdir(parents=True, exist_ok=True)
    backend.settings["temp_directory"] = str(spill)
    backend.raw_sql(f"SET streaming_buffer_size = '{STREAM_BUFFER}'")
    backend.raw_sql("SET TimeZone = 'UTC'")
    return backend


def scratch_folder(backend: Backend) -> Path:
    """A new folder for files that live as long as this connection's spill folder, beside it."""
    folder: Path = Path(str(backend.settings["temp_directory"])).parent / "scratch" / ibis.util.guid()
    folder.mkdir(parents=True)
    return folder


def deferred_batches(backend: Backend, rows: ir.Table) -> Callable[[int], Iterable[pa.RecordBatch]]:
    """Function that yields the rows in batches once it is called; until then the engine may run other queries.

    To put the question takes Ibis about as long as the engine takes to answer it for 100,000 rows.
    """
    if rows.op().find(ops.InMemoryTable):  # Ibis brings such a table to the engine only with its question
        return lambda size: backend.to_pyarrow_batches(rows, chunk_size=size)
    question = str(backend.compile(rows))
    return lambda size: backend.raw_sql(question).fetch_record_batch(rows_per_batch=size)


def literal_path(path: Path) -> str:
    """`path` as DuckDB reads it when no character of it is meant as a wildcard."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))


def error_summary(error: duckdb.Error) -> str:
    """The message of a DuckDB error in one line, without the query and DuckDB's advice."""
    return " ".join(str(error).split("Possible")[0].split("LINE 1:")[0].split()).rstrip(".")
