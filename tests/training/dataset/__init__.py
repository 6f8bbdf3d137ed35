"""Tests of training/dataset."""
