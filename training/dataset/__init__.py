"""The training dataset: labels, splits, selection weights."""
