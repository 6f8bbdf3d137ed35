"""Promises of the importers of public files."""
