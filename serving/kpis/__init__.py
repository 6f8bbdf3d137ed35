"""Key performance indicators of testing, decisions and relistings."""
