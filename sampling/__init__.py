"""What to test next, with which probability, and what the results say about the whole catalogue."""
