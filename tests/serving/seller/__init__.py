"""Tests of serving/seller."""
