"""What is promised of decisions."""
