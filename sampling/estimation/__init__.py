"""Estimates from the results of sampling rounds."""
