"""Tests of training/simulation."""
