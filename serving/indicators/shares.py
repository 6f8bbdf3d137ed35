"""A share of a count with its interval."""

from dataclasses import dataclass
from math import sqrt

Z_95 = 1.959964
FEWEST = 20
"""Counts below this carry no share."""


@dataclass(frozen=True)
class Share:
    """`part` of `whole`, with the interval of Wilson (1927, doi:10.1080/01621459.1927.10502953) at 95 %."""

    part: int
    whole: int

    @property
    def told(self) -> bool:
        """Whether the count is large enough to be told as a share."""
        return self.whole >= FEWEST

    @property
    def value(self) -> float:
        """The share; 0 of nothing."""
        return self.part / self.whole if self.whole else 0.0

    @property
    def low(self) -> float:
        """The lower end."""
        return max(self._middle - self._half, 0.0)

    @property
    def high(self) -> float:
        """The upper end."""
        return min(self._middle + self._half, 1.0)

    def holds(self, share: float) -> bool:
        """Whether another share lies within the interval."""
        return self.low <= share <= self.high

    @property
    def _spread(self) -> float:
        return Z_95**2 / self.whole if self.whole else 1.0

    @property
    def _middle(self) -> float:
        return (self.value + self._spread / 2) / (1 + self._spread) if self.whole else 0.5

    @property
    def _half(self) -> float:
        if not self.whole:
            return 0.5
        inner = self.value * (1 - self.value) / self.whole + self._spread / (4 * self.whole)
        return Z_95 * sqrt(inner) / (1 + self._spread)
