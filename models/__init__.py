"""What we may conclude from features, and how sure we are."""
