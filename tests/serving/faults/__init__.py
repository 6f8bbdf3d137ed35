"""What a fault costs: never an accepted row, never a mixed answer, at most a sentence."""
