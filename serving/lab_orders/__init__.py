"""Orders to laboratories: one file per laboratory out, the same file with results back."""
