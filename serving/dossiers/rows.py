"""The rows of one kind of all dossiers, streamed from their file."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa


def sheet_rows(dossiers: Path, sheet: str) -> Iterator[pa.RecordBatch]:
    """The rows of one file, a batch at a time; none where its table is not kept."""
    path = dossiers / f"{sheet}.arrow"
    if path.is_file():
        with pa.memory_map(str(path)) as source:
            reader = pa.ipc.open_file(source)
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)
