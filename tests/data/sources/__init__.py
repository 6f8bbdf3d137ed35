"""Tests of data.sources."""
