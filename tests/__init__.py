"""What we promise: one folder per room, laws before examples."""
