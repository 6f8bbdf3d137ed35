"""Tests of docs/operations.md and of the files beside it."""
