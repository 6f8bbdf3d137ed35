"""Tests of features/groups."""
