"""What the sample marketplace promises."""
