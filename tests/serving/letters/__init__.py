"""Tests of serving/letters."""
