"""Tests of data/ingest."""
