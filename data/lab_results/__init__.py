"""Laboratory results that arrive after ingest: validation, file intake, storage."""
