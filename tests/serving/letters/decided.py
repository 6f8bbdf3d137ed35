"""A removal in force as the database holds it."""

from serving.decisions.records import Decision

REMOVAL = Decision(
    "d-0123456789ab", "K-1", "EU", "S-1", "remove", "failed_independent_test", "Frau Maier told me on the phone.",
    "failed_independent_test", "T-1", "An independent test of 1 June 2026 failed: electric shock.", None, None,
    "Anna Huber", "k-anna", "2026-07-01T12:00:00.000000+00:00", "in_force", "Bernd Vogel", "k-bernd",
    "2026-07-01T13:00:00.000000+00:00", "Agreed.", None, "2026-07-01", 0.41, "high", "harder",
    "m-1", "f-1", "p-1", None,
)  # fmt: skip
