"""Row counts of an import."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ImportCounts:
    """Rows of the source, rows left out by reason, rows written by table, and of tests how many failed."""

    read: int
    dropped: Mapping[str, int]
    written: Mapping[str, int]
    failed: int = 0
    inconclusive: int = 0

    def __str__(self) -> str:
        """Say it in one line per fact."""
        dropped = "; ".join(f"{rows:,} {reason}" for reason, rows in sorted(self.dropped.items())) or "none"
        written = ", ".join(f"{rows:,} {table}" for table, rows in self.written.items())
        tests = f"; {self.failed:,} tests failed, {self.inconclusive:,} inconclusive" if "lab_tests" in written else ""
        return f"{self.read:,} rows read, left out: {dropped}.\nWritten: {written}{tests}."
