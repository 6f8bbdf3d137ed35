"""The online store of published scores, and its hot reload."""
