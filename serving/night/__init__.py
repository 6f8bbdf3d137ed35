"""The night: all that is done to the catalogue once a day, step by step."""
