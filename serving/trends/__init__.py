"""Quarterly editions of trends: what random tests say of the catalogue, frozen and published by two people."""
