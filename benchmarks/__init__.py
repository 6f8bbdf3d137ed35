"""What it costs: every number is a ratio against a named peer in one run."""
