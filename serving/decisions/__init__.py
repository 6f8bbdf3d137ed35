"""What officers decide about flagged SKUs: the rules, the store, the clocks, the reasons given to sellers."""
