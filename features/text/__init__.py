"""What reviews say of hazards: phrases find candidates, their sentences are read again, each mention is evidence."""
