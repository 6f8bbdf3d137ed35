"""Tests of the matching of alerts."""
