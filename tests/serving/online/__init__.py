"""Tests of serving/online."""
