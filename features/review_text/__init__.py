"""Hazards in reviews: matching, mentions, classifier, incremental extraction."""
