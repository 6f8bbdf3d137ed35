"""Tests of serving/public."""
