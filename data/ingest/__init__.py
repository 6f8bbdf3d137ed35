"""Ingest: reads a marketplace's files, validates every row, writes the lake and the quarantine."""
