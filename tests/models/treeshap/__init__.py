"""Tests of models/treeshap."""
