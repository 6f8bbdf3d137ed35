"""Files as people have them, opened as rows of text: form, encoding, separator, days and numbers."""
