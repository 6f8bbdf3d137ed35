"""Tests of training/lifecycle."""
