"""Tests of serving/scoring."""
