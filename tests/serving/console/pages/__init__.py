"""Tests of serving/console/pages."""
