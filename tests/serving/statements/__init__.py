"""What is promised of statements of reasons."""
