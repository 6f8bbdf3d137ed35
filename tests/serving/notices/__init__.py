"""Tests of serving/notices."""
