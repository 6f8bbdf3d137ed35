"""Serving: HTTP service, staff console, batch scoring, online store, decisions and letters."""
