"""Features: declared once, computed point in time, of SKUs, suppliers, factories, categories and titles."""
