"""Other people's tables as the contract's: files and databases mapped by `sources.toml`."""
