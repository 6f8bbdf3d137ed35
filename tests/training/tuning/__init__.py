"""Tests of training/tuning."""
