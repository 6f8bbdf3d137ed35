"""How a conclusion leaves the house: service, batch scoring, stores."""
