"""Evidence for regulators: this marketplace's own product-safety risk in a quarter, with every number recomputable."""
