"""The page of a seller: what was found, what the seller will do, documents, counter-sample, appeal."""
