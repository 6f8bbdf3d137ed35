"""What every page shares: filters of templates, stylesheet, rows as CSV."""
