"""The published rules: what is tested, what happens when a product fails, how to appeal."""
