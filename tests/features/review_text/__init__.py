"""Tests of features/review_text."""
