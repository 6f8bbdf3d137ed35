"""What the house promises of results that come back."""
