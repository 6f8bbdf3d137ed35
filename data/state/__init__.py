"""What the house itself has decided: the ledger, in SQLite or PostgreSQL."""
