"""What an ingest made of a delivery: a few lines per table."""

from collections.abc import Mapping
from dataclasses import dataclass

from data.ingest.validation import TableCount
from data.lake.handed_in_rows import Redelivery
from data.lake.volumes import Volume


@dataclass(frozen=True)
class IngestedTable:
    """What became of one table that was delivered, or whose rows an ingest touched.

    `count` is of the rows that were judged, None where nothing new was delivered. `changes` counts rows by what became
    of them, in words; `volume` is what the lake holds now, `outstanding` counts its rows in quarantine.
    """

    table: str
    count: TableCount | None
    changes: Mapping[str, int]
    volume: Volume
    outstanding: int

    def __str__(self) -> str:
        """Say it in a line for what was judged and one for what the lake holds."""
        changed = [f"{rows:,} {words}" for words, rows in self.changes.items() if rows]
        waiting = [f"{self.outstanding:,} in quarantine"] if self.outstanding else []
        head = str(self.count) if self.count else f"{self.table:<13}nothing new to check"
        return f"{head}\n{'':<13}{'; '.join([*changed, f'the lake holds {self.volume}', *waiting])}"


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did: the tables it touched, and the names of those that stay as they were.

    `redelivered` counts the rows that the service had taken in before and that came again.
    """

    tables: tuple[IngestedTable, ...]
    kept: tuple[str, ...]
    redelivered: tuple[Redelivery, ...] = ()

    @property
    def counts(self) -> tuple[TableCount, ...]:
        """The counts of the tables of which anything was judged."""
        return tuple(each.count for each in self.tables if each.count is not None)

    @property
    def declarable(self) -> str:
        """Lines for `features.toml` about columns that were left out; empty where there are none."""
        return "\n".join(line for count in self.counts for line in count.declarable)

    def __str__(self) -> str:
        """Say it, a few lines for a table, and one for those that stay."""
        kept = [f"kept: {', '.join(self.kept)}"] if self.kept else []
        return "\n".join([*map(str, self.tables), *map(str, self.redelivered), *kept])
