"""Closed-loop simulation of sampling strategies."""
