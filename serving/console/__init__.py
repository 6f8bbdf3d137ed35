"""The pages that compliance staff and schedulers case in."""
