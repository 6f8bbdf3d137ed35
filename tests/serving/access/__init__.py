"""What the house promises of its door."""
