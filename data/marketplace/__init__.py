"""The sample marketplace: a made-up world whose truth is known, written as contract tables."""
