"""The figures that a lead looks at: what the catalogue sold, got back, was warned of and tested, month by month."""
