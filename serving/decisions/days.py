"""Days in words, as facts, clocks and documents say them."""

from datetime import date


def long_date(day: date) -> str:
    """A day in words, such as 1 July 2026."""
    return f"{day.day} {day:%B %Y}"
