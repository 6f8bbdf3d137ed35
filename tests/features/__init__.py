"""Promises of the room `features`."""
