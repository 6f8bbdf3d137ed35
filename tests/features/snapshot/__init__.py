"""Tests of features/snapshot."""
