"""Tests of public test summaries."""
