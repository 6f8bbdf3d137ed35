"""Feature groups: the declarations, by the rows they read."""
