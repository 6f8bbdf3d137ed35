"""Tests of serving/trends."""
