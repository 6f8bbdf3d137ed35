"""Promises of the room `models`."""
