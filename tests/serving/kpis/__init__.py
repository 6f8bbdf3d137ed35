"""Tests of serving/kpis."""
