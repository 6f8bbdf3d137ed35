"""Who may ask the service what, and how much."""
