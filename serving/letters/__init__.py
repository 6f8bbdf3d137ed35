"""Letters to sellers: what is owed, what each says, its words in each language, its way from draft to delivered."""
