"""The HTTP addresses: BentoML APIs of the model, and resources of the FastAPI application."""
