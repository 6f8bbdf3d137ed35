"""Writer of contract tables as Parquet files, in the contract's order and types."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data.contract import ALERTS, BY_NAME
from data.errors import UserError
from data.importers.report import ImportCounts
from data.workspace import replace_atomically

ARROW_TYPE = {"text": pa.string(), "day": pa.date32()}

FieldValue = str | date | None
Record = Mapping[str, FieldValue]


def require_folder(out: Path) -> None:
    """Raise UserError where `out` is a file."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file. Give a folder to write the tables to.")


def write_table(name: str, records: Sequence[Record], out: Path) -> None:
    """Write the columns that the first of the records holds."""
    columns = [column for column in BY_NAME[name].columns if column.name in records[0]]
    schema = pa.schema([(column.name, ARROW_TYPE[column.kind]) for column in columns])
    with replace_atomically(out / f"{name}.parquet") as attempt:
        pq.write_table(pa.Table.from_pylist(list(records), schema=schema), attempt)


def write_alerts(parsed: Iterable[Record | str], source: Path, out: Path) -> ImportCounts:
    """Write `alerts` into the folder `out`: one row per record, and none for a text, the reason why a row is left out.

    Of rows with one `alert_id` the first stays. Raises UserError where no record is left, or where `out` is a file.
    """
    require_folder(out)
    dropped: Counter[str] = Counter()
    alerts: dict[FieldValue, Record] = {}
    for record in parsed:
        if isinstance(record, str):
            dropped[record] += 1
        elif record["alert_id"] in alerts:
            dropped["with the number of an earlier row"] += 1
        else:
            alerts[record["alert_id"]] = record
    read = len(alerts) + dropped.total()
    if not alerts:
        reasons = "; ".join(f"{rows:,} {reason}" for reason, rows in sorted(dropped.items())) or "it is empty"
        raise UserError(f"{source} holds no alert that can be read, in {read:,} rows: {reasons}. Export it again.")
    write_table(ALERTS.name, list(alerts.values()), out)
    return ImportCounts(read, dict(dropped), {ALERTS.name: len(alerts)})
