"""Laws of reading: whatever was done to a CSV file, each of its lines is part of a row or named as unreadable."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ibis.backends.duckdb import Backend

from data.contract import TABLES
from data.contract_schema import Table
from data.errors import UserError
from data.ingest.pipeline import ingest
from data.lake.duckdb_engine import connect
from data.reading.dialect import ReadingOptions
from data.reading.file_formats import open_file
from data.reading.raw_file import RawFile
from data.workspace import Workspace
from tests.data.small_marketplace import TODAY, good_frames, spoiled, write_parquet

LINE_END = re.compile(rb"\r\n|\r|\n")
ENGINE_WORDS = (
    "Binder",
    "Conversion",
    "Parser Error",
    "Catalog",
    "IO Error",
    "STRUCT_PACK",
    "Invalid Input",
    "pyarrow",
)
PIECES = (
    b'"',
    b'"',
    b",",
    b";",
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xc3",
    b'""',
    b'","',
    b'"\n"',
    b" ",
    b"\\",
    b"'",
)
QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)  # fmt: skip


@st.composite
def mutated_files(draw: st.DrawFn) -> tuple[Table, bytes]:
    """A table of the contract and the CSV file of its good rows, spoiled in up to four places."""
    table = draw(st.sampled_from([table for table in TABLES if table.name in good_frames()]))
    quoting: Literal[0, 1] = 1 if draw(st.booleans()) else 0  # csv.QUOTE_ALL, csv.QUOTE_MINIMAL
    frame = good_frames()[table.name]
    content = frame.to_csv(index=False, lineterminator="\n", quoting=quoting).encode()
    content += frame.to_csv(index=False, header=False, lineterminator="\n", quoting=quoting).encode() * 3
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        cut = draw(st.sampled_from([0, 0, 1, 7, len(content)]))
        if draw(st.booleans()) and b'"' in content[at:]:
            at, cut = content.index(b'"', at), 1  # drop a quote
        content = content[:at] + draw(st.sampled_from((b"", *PIECES))) + content[at + cut :]
    return table, content


def lines_of(content: bytes) -> int:
    """The lines of a file that are not blank, counted without any of our code."""
    lines = LINE_END.split(content.removeprefix(b"\xef\xbb\xbf"))
    return sum(bool(line.strip(b" \t\v\f\x1c\x1d\x1e\x1f")) for line in lines)


def lines_covered(raw: RawFile) -> int:
    """The lines that rows and unreadable lines take up."""
    rows = raw.rows.drop("row_number").to_pyarrow().to_pylist()
    lines = 0
    for row in rows:
        parts = [re.split(r"\r\n|\r|\n", value or "") for value in row.values()]
        lines += 1 + sum(bool(line.strip()) for lines_of_value in parts for line in lines_of_value[1:-1])
        lines += sum(len(lines_of_value) > 1 for lines_of_value in parts)
    return lines + int(raw.unreadable.count().to_pyarrow().as_py())


def require_own_words(message: str) -> None:
    """Fail where a message quotes the engine."""
    assert not any(word in message for word in ENGINE_WORDS), message


def lines_above(raw: RawFile) -> int:
    """The lines that the notes say stand above the header."""
    return sum(int(found[1]) for note in raw.notes if (found := re.search(r"the first (\d+) line", note)))


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """One DuckDB for all examples."""
    opened = connect(tmp_path_factory.mktemp("engine") / "spill")
    yield opened
    opened.disconnect()


@QUICK
@given(mutated_files())
def test_every_line_of_a_spoiled_file_is_part_of_a_row_or_named_as_unreadable(
    backend: Backend, mutated: tuple[Table, bytes]
) -> None:
    table, content = mutated
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{table.name}.csv"
        path.write_bytes(content)
        single_line = frozenset(column.name for column in table.columns if not column.free)
        try:
            raw = open_file(backend, path, ReadingOptions(frozenset(table.column_names), single_line))
        except UserError as refused:
            require_own_words(str(refused))
        else:
            assert lines_covered(raw) + lines_above(raw) + 1 == lines_of(content), content


@pytest.mark.slow
@settings(QUICK, max_examples=6)
@given(mutated_files())
def test_a_spoiled_file_is_counted_or_refused_in_our_own_words(mutated: tuple[Table, bytes]) -> None:
    """Of a whole ingest: accepted and quarantined rows are those read, and no engine speaks."""
    table, content = mutated
    with tempfile.TemporaryDirectory() as home:
        source = write_parquet(spoiled(table.name, 0), Path(home) / "source")
        (source / f"{table.name}.parquet").unlink()
        (source / f"{table.name}.csv").write_bytes(content)
        try:
            counts = ingest(source, Workspace(Path(home) / "workspace"), TODAY)
        except UserError as refused:
            require_own_words(str(refused))
        else:
            for count in counts:
                assert count.accepted + count.quarantined == count.read
                require_own_words(str(count))
