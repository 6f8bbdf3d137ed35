"""Tests of sampling/design."""
