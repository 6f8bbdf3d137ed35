"""The queue as CSV, streamed: RFC 4180, UTF-8 with a byte-order mark, inert in a spreadsheet."""

import csv
import io
from collections.abc import Iterator, Sequence

from serving.console.csv_rows import inert
from serving.console.queue_filter import EVIDENCE
from serving.published import Published
from serving.queue.reading import Entry, Numbers

ROWS_PER_PIECE = 2_000
COLUMNS = (
    "rank", "sku_id", "market", "title", "supplier_id", "category", "band", "p_fail", "units_90", "days_since_test",
    "evidence", "as_of", "model_version", "feature_version", "policy_version",
)  # fmt: skip


def exported(published: Published, numbers: Numbers) -> Iterator[str]:
    """The header, then the SKUs in pieces; every row carries the day and the versions it was scored with."""
    scored = published.publication
    versions = (scored.as_of.isoformat(), scored.model_version, scored.feature_version, scored.policy_version)
    yield "\ufeff" + _written([COLUMNS])
    for start in range(0, len(numbers), ROWS_PER_PIECE):
        entries = published.queue.entries(numbers[start : start + ROWS_PER_PIECE])
        yield _written([[inert(value) for value in (*_told(entry), *versions)] for entry in entries])


def _told(entry: Entry) -> tuple[object, ...]:
    known = "; ".join(words for kind, words in EVIDENCE.values() if entry.evidence & kind)
    return (
        entry.rank, entry.sku_id, entry.market, entry.title, entry.supplier_id, entry.category, entry.band,
        f"{entry.p_fail:.4f}", entry.units_90, entry.days_since_test, known,
    )  # fmt: skip


def _written(rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
