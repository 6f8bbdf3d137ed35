"""Closed loops: what a way of choosing tests would have found, round after round, against a known truth."""
