"""What the world tells us: table contracts, readers, quarantine, the sample marketplace, importers of public data."""
