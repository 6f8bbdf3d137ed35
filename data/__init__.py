"""Data: table contract, ingest, lake, laboratory results, database, synthetic marketplace, importers of public data."""
