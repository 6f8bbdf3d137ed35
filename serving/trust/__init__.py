"""Public test summaries: what was tested, when, by whom, and whether it still stands."""
