"""Batch scoring of the whole catalogue, its checkpoints, retention and rescoring."""
