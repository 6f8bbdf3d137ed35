"""Sampling: frame, design, draw and plan of a round; estimation of prevalence from its results."""
