"""Orders to laboratories, and their files come back."""
