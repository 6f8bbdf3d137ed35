"""The sensitivity of screens: as policy states it, and as full tests of screens that passed teach it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import beta

from sampling.estimation.policy import EstimationPolicy
from sampling.problem import Floats

_GRID = (np.arange(4_000) + 0.5) / 4_000


@dataclass(frozen=True)
class ScreenEvidence:
    """Failures in one round that a screen found, and failures that full tests found among what it passed.

    `chance` is the probability that a full test looked at a SKU that passed; `unseen` are the predicted probabilities
    to fail of those passes at which none looked.
    """

    round_id: str
    screen: str
    found: int
    overlooked: int
    chance: float
    unseen: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class ScreenSensitivity:
    """The share of failures that a screen finds: mean, interval and standard deviation of what is known.

    `stated` and `stated_spread` are mean and standard deviation before the first result; `found` and `overlooked` the
    failures that taught the rest. Of the failures that predictions and sensitivity let expect among passes at which no
    full test looked there are `hidden_ratio` times as many, with standard error `hidden_error`.
    """

    screen: str
    value: float
    low: float
    high: float
    spread: float
    stated: float
    stated_spread: float
    found: int = 0
    overlooked: int = 0
    hidden_ratio: float = 1.0
    hidden_error: float = 0.0

    @property
    def sentence(self) -> str:
        """What is known, in words."""
        known = f"{self.screen} finds {self.value:.0%} of failures ({self.low:.0%} to {self.high:.0%})"
        if not self.found + self.overlooked:
            return f"{known}, as stated: no full test has looked at what it passed."
        return (
            f"{known}: {self.found:,} found, {self.overlooked:,} overlooked where full tests looked; "
            f"{self.stated:.0%} stated."
        )


Screens = Mapping[str, ScreenSensitivity]
"""What is known of screens, by the name of their package."""


def learn_sensitivity(
    screen: str, stated: float, evidence: Iterable[ScreenEvidence], policy: EstimationPolicy
) -> ScreenSensitivity:
    """What `evidence` teaches of the sensitivity of a screen that is `stated` to find such a share of failures.

    The statement counts like `policy.screen_prior_failures` failing goods (a beta distribution). Of the failures that
    were seen, the screen found each with the odds of Se to (1 - Se) x chance; the posterior is summed on a grid.
    """
    prior = stated * policy.screen_prior_failures, (1 - stated) * policy.screen_prior_failures
    evidence = [each for each in evidence if each.chance > 0]
    if not evidence:
        low, high = (float(each) for each in beta.interval(policy.level, *prior))
        return ScreenSensitivity(screen, stated, low, high, float(beta.std(*prior)), stated, float(beta.std(*prior)))
    by_chance: dict[float, tuple[int, int]] = {}
    for each in evidence:
        found, overlooked = by_chance.get(each.chance, (0, 0))
        by_chance[each.chance] = found + each.found, overlooked + each.overlooked
    log_density = np.asarray(beta.logpdf(_GRID, *prior))
    for chance, (found, overlooked) in by_chance.items():
        missed = (1 - _GRID) * chance
        log_density += found * np.log(_GRID) + overlooked * np.log(missed)
        log_density -= (found + overlooked) * np.log(_GRID + missed)
    found, overlooked = (sum(each) for each in zip(*by_chance.values(), strict=True))
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    mean = float(_GRID @ weight)
    tail = (1 - policy.level) / 2
    low, high = np.interp((tail, 1 - tail), np.cumsum(weight), _GRID)
    spread = float(np.sqrt(weight @ (_GRID - mean) ** 2))
    return ScreenSensitivity(
        screen, mean, float(low), float(high), spread, stated, float(beta.std(*prior)), found, overlooked,
        *_hidden_ratio(evidence, mean),
    )  # fmt: skip


def _hidden_ratio(evidence: Sequence[ScreenEvidence], sensitivity: float) -> tuple[float, float]:
    """How many times as many failures are hidden as expected, by the overlooked that full tests saw; its error.

    Each overlooked failure that was seen stands for (1 - chance) / chance others. One of average weight, as expected,
    counts beside them, so that a few confirmations do not swing the ratio.
    """
    weight = np.array([(1 - each.chance) / each.chance for each in evidence])
    expected = np.array([chance_to_fail_after_pass(each.unseen, sensitivity).sum() for each in evidence])
    if not expected.sum() > 0:
        return 1.0, 0.0
    usual = float(expected @ weight / expected.sum())
    seen = np.array([each.overlooked for each in evidence])
    total = float(expected.sum()) + usual
    return (float(seen @ weight) + usual) / total, float(np.sqrt(seen @ weight**2 + usual**2)) / total


def chance_to_fail_after_pass(p_fail: Floats | float, sensitivity: Floats | float) -> Floats:
    """The probability that goods fail although a screen of this sensitivity passed them (Bayes)."""
    return np.asarray(p_fail * (1 - sensitivity) / (1 - p_fail * sensitivity))
