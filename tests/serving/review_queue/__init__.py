"""Tests of serving/review_queue."""
