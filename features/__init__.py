"""What one SKU looks like on one day."""
