"""Laboratory results that come back over HTTP."""
