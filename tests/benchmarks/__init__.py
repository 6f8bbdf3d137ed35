"""Promises of the room `benchmarks`: that they run, whatever they measure."""
