"""Statements of reasons and records for the EU transparency database (DSA articles 17 and 24)."""
