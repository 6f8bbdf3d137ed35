"""The model's lifecycle: tracking, comparison with the champion, promotion, monitoring."""
