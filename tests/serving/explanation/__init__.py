"""What the house promises of explanations."""
