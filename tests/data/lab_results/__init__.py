"""Tests of `data.lab_results`."""
