"""Tests of serving/rules."""
