"""Scoring the catalogue anew while the service goes on answering."""
