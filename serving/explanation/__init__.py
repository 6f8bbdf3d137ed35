"""Everything that stands behind one score."""
