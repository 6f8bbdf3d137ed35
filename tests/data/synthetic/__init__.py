"""Tests of data/synthetic."""
