"""The test packages of a replay: the full test, and a cheap screen that misses some failures."""

from sampling.problem import Package

FULL = Package("test", 25_000, 1, "laboratory")
SCREEN = Package("screen", 7_500, 1, "bench", sensitivity=0.8)
"""30 % of the price of a full test, the full tests that confirm its findings included: no pass is called a failure."""
PACKAGES = (FULL, SCREEN)
PRICE_CENTS = FULL.cost_cents


def tests_for(full_tests: int, package: Package) -> int:
    """How many tests of `package` the money for so many full tests buys."""
    return full_tests * PRICE_CENTS // package.cost_cents
