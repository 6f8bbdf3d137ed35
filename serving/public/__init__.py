"""Pages for everybody, without a key or a sign-in: what shoppers, sellers and regulators read."""
