"""Notices of shoppers about unsafe products: form, cases with a clock, letters to who sent them."""
