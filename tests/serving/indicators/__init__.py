"""What is promised of the figures a lead looks at."""
