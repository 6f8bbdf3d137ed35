"""What many replays amount to: findings, the error and honesty of the prevalence, and paired comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sampling.estimation.difference_estimator import korn_graubard
from training.replay.ledger import Floats
from training.replay.loop import Round

POOLED_ROUNDS = 4


@dataclass(frozen=True)
class Run:
    """One strategy in one world."""

    scenario: str
    seed: int
    strategy: str
    rounds: tuple[Round, ...]

    @property
    def found(self) -> int:
        """Failures found in all rounds."""
        return sum(each.found for each in self.rounds)

    @property
    def cost_eur(self) -> float:
        """What the tests of all rounds cost."""
        return sum(each.cost_eur for each in self.rounds)

    @property
    def estimates(self) -> bool:
        """Whether its inclusion probabilities are known."""
        return all(each.estimate is not None for each in self.rounds)

    def errors(self) -> Floats:
        """The relative error of each draw of each round, shape (rounds, 1 + redraws); the first is the one tested."""
        told = np.array([[float(each.estimate or 0.0), *each.redrawn] for each in self.rounds])
        return np.asarray(told / np.array([[each.prevalence] for each in self.rounds]) - 1)

    def model_errors(self) -> Floats:
        """The relative error of each round's mean score, which is no estimate of the prevalence."""
        return np.array([each.model_mean / each.prevalence - 1 for each in self.rounds])

    def rmse(self) -> float:
        """Root mean square of `errors`."""
        return float(np.sqrt((self.errors() ** 2).mean()))

    def covered(self) -> list[bool]:
        """Whether each round's interval holds the truth."""
        limits = [interval(each) for each in self.rounds]
        return [low <= each.prevalence <= high for each, (low, high) in zip(self.rounds, limits, strict=True)]

    def half_width(self) -> float:
        """Half the width of a round's interval relative to the truth, on average."""
        limits = [interval(each) for each in self.rounds]
        widths = [(high - low) / each.prevalence / 2 for each, (low, high) in zip(self.rounds, limits, strict=True)]
        return float(np.mean(widths))

    def pooled_errors(self) -> Floats:
        """The relative error of every pool of `POOLED_ROUNDS` rounds, weighted by 1 / the variance foreseen."""
        errors = []
        for first in range(0, len(self.rounds) - POOLED_ROUNDS + 1, POOLED_ROUNDS):
            part = self.rounds[first : first + POOLED_ROUNDS]
            weight = np.array([1 / float(each.anticipated_variance or np.nan) for each in part])
            told = weight @ [float(each.estimate or 0.0) for each in part]
            errors.append(float(told / (weight @ [each.prevalence for each in part]) - 1))
        return np.array(errors)


@dataclass(frozen=True)
class Mean:
    """A mean over worlds with its standard error (NaN for one world)."""

    value: float
    error: float


def interval(one: Round) -> tuple[float, float]:
    """The 95 % interval of a round's prevalence."""
    variance = max(float(one.design_variance or 0.0), float(one.anticipated_variance or 0.0))
    share = korn_graubard(float(one.estimate or 0.0), variance, one.model_mean)
    return share.low, share.high


def mean(values: Sequence[float]) -> Mean:
    """The mean over worlds."""
    spread = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return Mean(float(np.mean(values)), float(spread))


def ratio_of_found(runs: Sequence[Run], others: Sequence[Run]) -> Mean:
    """Findings of `runs` per finding of `others` in the same worlds, in total; the error by the delta method."""
    mine, theirs = _paired(runs, others)
    ratio = mine.sum() / theirs.sum()
    left = mine - ratio * theirs
    worlds = len(mine)
    spread = np.sqrt(worlds / (worlds - 1) * (left**2).sum()) / theirs.sum() if worlds > 1 else np.nan
    return Mean(float(ratio), float(spread))


def ratio_of_rmse(runs: Sequence[Run], others: Sequence[Run]) -> tuple[Mean, int]:
    """The mean over worlds of the RMSE of `runs` per that of `others`, and in how many worlds it is smaller."""
    by_world = {(run.scenario, run.seed): run for run in others}
    ratios = [run.rmse() / by_world[run.scenario, run.seed].rmse() for run in runs]
    return mean(ratios), sum(ratio < 1 for ratio in ratios)


def _paired(runs: Sequence[Run], others: Sequence[Run]) -> tuple[Floats, Floats]:
    by_world = {(run.scenario, run.seed): float(run.found) for run in others}
    return (
        np.array([float(run.found) for run in runs]),
        np.array([by_world[run.scenario, run.seed] for run in runs]),
    )
