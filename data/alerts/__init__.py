"""Alerts of public registers, matched to the SKUs that they may be about."""
