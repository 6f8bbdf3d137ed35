"""The queue as CSV, streamed: RFC 4180, UTF-8 with a byte-order mark, inert in a spreadsheet."""

import csv
import io
from collections.abc import Iterator, Sequence

from serving.console.csv_rows import inert
from serving.console.queue_filter import EVIDENCE
from serving.console.queue_lines import Line, Lines
from serving.publication import Publication
from serving.queue.reading import Numbers

ROWS_PER_PIECE = 2_000
COLUMNS = (
    "rank", "sku_id", "market", "title", "supplier_id", "category", "band", "p_fail", "p_low", "p_high", "main_reason",
    "units_90", "days_since_test", "evidence", "owner", "due_on", "due_why", "own_estimate_first", "as_of",
    "model_version", "feature_version", "policy_version",
)  # fmt: skip


def exported(scored: Publication, lines: Lines, numbers: Numbers) -> Iterator[str]:
    """The header, then the SKUs in pieces; every row carries the day and the versions it was scored with."""
    versions = (scored.as_of.isoformat(), scored.model_version, scored.feature_version, scored.policy_version)
    yield "\ufeff" + _written([COLUMNS])
    for start in range(0, len(numbers), ROWS_PER_PIECE):
        piece = lines.of(numbers[start : start + ROWS_PER_PIECE])
        yield _written([[inert(value) for value in (*_told(line), *versions)] for line in piece])


def _told(line: Line) -> tuple[object, ...]:
    entry, due = line.entry, line.due
    known = "; ".join(words for kind, words in EVIDENCE.values() if entry.evidence & kind)
    score = ("",) * 3 if line.veiled else tuple(f"{each:.4f}" for each in (entry.p_fail, entry.p_low, entry.p_high))
    return (
        "" if line.veiled else entry.rank, entry.sku_id, entry.market, entry.title, entry.supplier_id, entry.category,
        entry.band, *score, line.reason, entry.units_90, entry.days_since_test, known, line.owner,
        due.on.isoformat() if due else None, due.why if due else None, "yes" if line.veiled else "no",
    )  # fmt: skip


def _written(rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
