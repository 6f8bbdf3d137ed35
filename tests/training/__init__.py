"""Promises of the room `training`."""
