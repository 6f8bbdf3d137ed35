"""Options of an ingest."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class IngestOptions:
    """How to ingest: nothing may have happened after `today`; `strict` refuses any bad row.

    `by_key` takes files for changes by key. The tables in `allow_shrink` may lose more rows than policy allows.
    """

    today: date
    strict: bool = False
    by_key: bool = False
    allow_shrink: frozenset[str] = frozenset()
