"""Promises of the room `sampling`."""
