"""The verification desk: documents checked with whoever issued them."""
