"""All that was known of one SKU on the day of its score: its listing, its events, its months, its quotes."""
