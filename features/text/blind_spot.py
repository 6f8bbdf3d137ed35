"""What the phrases miss: a sample of the reviews without a hit, read for the signs of an incident alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.text.cues import cue_patterns
from features.text.language import known_language, language_of
from features.text.normal_form import flattened, normal_forms
from features.text.search import search

SAMPLED_SHARE: Final = 0.0075
# A doctor, a danger to life: two signs each; suddenly, my daughter, had to unplug: one each.
SIGNS: Final = {"incident": 1, "medical": 2, "life": 2}
TELLING_SIGNS: Final = 3


@dataclass(frozen=True)
class BlindSpot:
    """What the signs of an incident say of the phrases: two ways to find the same reviews, as in capture and recapture.

    `hits_with_signs` reviews have a mention and the signs; `sampled` of the `without_hit` reviews were read again,
    `sampled_with_signs` of these have the signs. The two ways agree more often than chance on blatant cases, so the
    miss rate is rather too low than too high.
    """

    hits_with_signs: int
    without_hit: int
    sampled: int
    sampled_with_signs: int

    @property
    def miss_rate(self) -> tuple[float, float, float]:
        """Of all reviews with the signs the share without a hit: estimate, and its exact 95 % interval."""
        low, high = exact_interval(self.sampled_with_signs, self.sampled)
        estimate = self.sampled_with_signs / self.sampled if self.sampled else 0.0
        return self._of_all(estimate), self._of_all(low), self._of_all(high)

    def __add__(self, other: "BlindSpot") -> "BlindSpot":
        """Both together, where no review is in both."""
        return BlindSpot(
            self.hits_with_signs + other.hits_with_signs, self.without_hit + other.without_hit,
            self.sampled + other.sampled, self.sampled_with_signs + other.sampled_with_signs,
        )  # fmt: skip

    def _of_all(self, share: float) -> float:
        missed = share * self.without_hit
        return missed / (missed + self.hits_with_signs) if missed + self.hits_with_signs else 0.0


def sampled_rows(rows: NDArray[np.int64], seed: int, share: float = SAMPLED_SHARE) -> NDArray[np.bool_]:
    """Whether each row number is in the sample; the same number always is, whatever else is read.

    The finaliser of SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195) spreads the numbers evenly.
    """
    mixed = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return np.asarray(mixed < np.uint64(int(share * 2**64)))


def signs_of_incident(texts: pl.Series, languages: Sequence[str | None]) -> NDArray[np.bool_]:
    """Whether each text tells of an incident by at least three signs, none of which names a hazard."""
    forms = normal_forms(texts)
    patterns = tuple(_signs())
    found = search(flattened(pl.Series([form.text for form in forms], dtype=pl.String)), patterns)
    told = np.zeros(len(forms), dtype=np.int64)
    for text, number in sorted(set(zip(found.text.tolist(), found.pattern.tolist(), strict=True))):
        language = known_language(languages[text]) or language_of(forms[text].text)
        told[text] += _signs()[patterns[number]].get(language or "", 0)
    return np.asarray(told >= TELLING_SIGNS)


def exact_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """The interval of a share by Clopper and Pearson (1934, doi:10.1093/biomet/26.4.404)."""
    from scipy.stats import beta

    if not trials:
        return 0.0, 1.0
    tail = (1.0 - level) / 2.0
    low = float(beta.ppf(tail, successes, trials - successes + 1)) if successes else 0.0
    high = float(beta.ppf(1.0 - tail, successes + 1, trials - successes)) if successes < trials else 1.0
    return low, high


@cache
def _signs() -> dict[str, dict[str, int]]:
    """The weight of each sign by pattern and language."""
    weighed = {
        pattern: {language: max(SIGNS.get(name, 0) for name in names) for language, names in by_language.items()}
        for pattern, by_language in cue_patterns().items()
    }
    return {pattern: weights for pattern, weights in weighed.items() if any(weights.values())}
