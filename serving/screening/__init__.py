"""What is done with a listing before anybody tested it."""
