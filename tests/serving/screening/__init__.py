"""What the house promises of listings that nobody tested yet."""
