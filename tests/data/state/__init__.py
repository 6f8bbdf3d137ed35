"""What the house promises of its state."""
