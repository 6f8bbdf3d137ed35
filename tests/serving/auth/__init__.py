"""Tests of serving/auth."""
