"""Promises of the room `data`."""
