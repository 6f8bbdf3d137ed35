"""What officers decide about flagged SKUs: the rules, the store, the deadlines, the reasons given to sellers."""
