"""Tests of serving/evidence."""
