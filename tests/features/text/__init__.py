"""Tests of the review text signals."""
