"""Tests of sampling/estimation."""
