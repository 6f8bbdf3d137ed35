"""Tests of data/database."""
