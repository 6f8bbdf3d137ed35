"""The statement of reasons that a seller is owed: a letter, and the record for the EU's transparency database."""
