"""The figures of an evidence pack's report, each with the table and the rows that it is counted from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from serving.evidence.tables import EvidenceTable, Rows

Figure = float | int | None


@dataclass(frozen=True)
class EvidenceFigure:
    """A figure: its name, value, and how it follows from a table of the pack."""

    name: str
    value: Figure
    table: str
    how: str


def evidence_figures(tables: Sequence[EvidenceTable]) -> list[EvidenceFigure]:
    """The figures of the report, from the tables alone."""
    rows = {table.name: table.rows for table in tables}
    return [
        EvidenceFigure(name, count(rows.get(table, [])), table, how) for name, table, how, count in _FIGURES
    ]  # fmt: skip


def _with(rows: Rows, **wanted: object) -> Rows:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def _days(rows: Rows) -> Figure:
    """The median of days from the fact to its restriction."""
    days = [
        (row["in_force_on"] - row["fact_known_on"]).days  # type: ignore[operator]
        for row in _with(rows, fact_kind="failed_independent_test") if row["fact_known_on"] is not None
    ]  # fmt: skip
    return median(days) if days else None


_FIGURES: Sequence[tuple[str, str, str, Callable[[Rows], Figure]]] = (
    ("tests_planned", "tests", "rows", len),
    ("tests_with_result", "tests", "rows with `failed`", lambda rows: sum(row["failed"] is not None for row in rows)),
    ("tests_failed", "tests", "rows with result fail; chosen to, so no prevalence",
     lambda rows: len(_with(rows, result="fail"))),
    ("restrictions", "decisions", "rows", len),
    ("restrictions_after_failed_tests", "decisions", "rows with fact_kind failed_independent_test",
     lambda rows: len(_with(rows, fact_kind="failed_independent_test"))),
    ("restrictions_with_a_clock", "decisions", "rows with due_on",
     lambda rows: sum(row["due_on"] is not None for row in rows)),
    ("restrictions_in_time", "decisions", "rows with in_time true", lambda rows: len(_with(rows, in_time=True))),
    ("median_days_from_failed_test_to_restriction", "decisions",
     "median of in_force_on - fact_known_on in calendar days, of rows with fact_kind failed_independent_test", _days),
    ("appeals_answered", "appeals", "rows", len),
    ("appeals_in_time", "appeals", "rows with in_time true", lambda rows: len(_with(rows, in_time=True))),
    ("appeals_overturned", "appeals", "rows with outcome modified or reversed",
     lambda rows: sum(row["outcome"] in ("modified", "reversed") for row in rows)),
    ("documents_known", "documents", "rows", len),
    ("documents_confirmed", "documents", "rows with status confirmed",
     lambda rows: len(_with(rows, status="confirmed"))),
    ("corrective_actions_due", "corrective_actions", "rows", len),
    ("corrective_actions_in_time", "corrective_actions", "rows with verified_on not after due_on",
     lambda rows: sum(row["verified_on"] is not None and row["verified_on"] <= row["due_on"] for row in rows)),  # type: ignore[operator]
)  # fmt: skip
