"""What is asked of the model over HTTP."""
