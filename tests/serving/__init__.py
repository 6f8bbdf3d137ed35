"""Promises of the room `serving`."""
