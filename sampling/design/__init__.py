"""The sampling design: from strata to inclusion probabilities to a drawn sample."""
