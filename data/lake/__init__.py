"""The lake: the marketplace's tables as Parquet partitions, and the engine that reads them."""
