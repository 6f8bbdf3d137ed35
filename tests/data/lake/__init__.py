"""Tests of data/lake."""
