"""Signed messages to those who follow decisions: policy, deliveries with retries, dead letters."""
