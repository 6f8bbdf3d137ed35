"""The review queue: flagged SKUs as a memory-mapped table, filtered and ordered."""
