"""A synthetic marketplace with a known true risk for every SKU."""
