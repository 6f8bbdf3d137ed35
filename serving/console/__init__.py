"""The pages that compliance staff and schedulers work in."""
