"""Tests of serving/dsa."""
