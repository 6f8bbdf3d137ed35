"""The snapshot: features of the whole catalogue on one day, computed, written, read."""
