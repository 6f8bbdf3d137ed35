"""What the house promises of rescorings."""
