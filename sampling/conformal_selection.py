"""Conformal selection: a list of untested units of which at most a given share is wrong, from a weighted sample.

Jin and Candès, Model-free selective inference under covariate shift via weighted conformal p-values (2023, arXiv
2307.09291); e-values instead of p-values because weighted p-values do not keep the guarantee of Benjamini and Hochberg;
Xu and Ramdas, More powerful multiple testing under dependence via randomization (2023, arXiv 2305.11126).
"""

from dataclasses import dataclass

import numpy as np

from sampling.problem import Floats, Integers, Truths


@dataclass(frozen=True)
class CalibrationUnits:
    """Tested units along one axis: `score` (the higher, the surer), whether the outcome is `wrong`, and `weight`.

    The weight is the odds of not being drawn, (1 - inclusion) / inclusion: it makes the tested units stand for those
    that were not drawn.
    """

    score: Floats
    wrong: Truths
    weight: Floats


@dataclass(frozen=True)
class CandidateUnits:
    """Units that were not drawn, along one axis: `score` and `weight` as of `CalibrationUnits`."""

    score: Floats
    weight: Floats

    def __len__(self) -> int:
        """How many units could be on the list."""
        return len(self.score)


@dataclass(frozen=True)
class _Ranks:
    """Where candidates stand among the wrong calibration units, these counted from the surest.

    `above` is each candidate's number of wrong units scored at least as high, `reached` the candidates with at most t
    of them, `lost` the weight of the t surest wrong units; t runs from 0.
    """

    above: Integers
    reached: Integers
    lost: Floats


def select_units(
    calibration: CalibrationUnits, candidates: CandidateUnits, false_share: float, uniform: float
) -> Truths:
    """Boolean array of the candidates on the list.

    The expected share of wrong units on the list is at most `false_share`, whatever the score is worth, where tested
    and untested units differ by chance alone within the weights. `uniform` is one random number in (0, 1), drawn
    independently of everything. Ties count against the candidate.
    """
    number = len(candidates)
    if not number:
        return np.zeros(0, dtype=np.bool_)
    values = _e_values(calibration, candidates, false_share)
    order = np.sort(values)[::-1]
    needed = uniform * number / (false_share * np.arange(1, number + 1))
    able = np.flatnonzero((order >= needed) & (order > 0))
    least = needed[able[-1]] if len(able) else np.inf
    chosen: Truths = (values >= least) & (values > 0)
    return chosen


def list_probability(calibration: CalibrationUnits, candidates: CandidateUnits, false_share: float) -> float:
    """The probability, over its random number, that `select_units` lists any unit.

    The promise counts the other cases as none wrong, so that where a list is given the expected share of wrong units is
    about `false_share` over this probability.
    """
    if not len(candidates):
        return 0.0
    order = np.sort(_e_values(calibration, candidates, false_share))[::-1]
    most = false_share * np.arange(1, len(order) + 1) * order / len(order)
    return float(min(np.max(most), 1.0))


def smallest_false_share(calibration: CalibrationUnits, candidates: CandidateUnits) -> float:
    """The smallest share for which any candidate could be on a list; 1 where there is none."""
    if not len(candidates) or not len(calibration.score):
        return 1.0
    ranks = _ranks(calibration, candidates)
    order = np.argsort(ranks.above, kind="stable")
    lightest = np.minimum.accumulate(candidates.weight[order])
    reached = ranks.reached > 0
    weight = lightest[ranks.reached[reached] - 1]
    total = float(calibration.weight.sum())
    share = len(candidates) * (ranks.lost[reached] + weight) / (ranks.reached[reached] * (total + weight))
    return float(np.min(share, initial=1.0))


def _e_values(calibration: CalibrationUnits, candidates: CandidateUnits, false_share: float) -> Floats:
    """The e-value of each candidate being wrong: large where it stands above a threshold that few wrong units reach.

    Each candidate's threshold is the lowest at which the estimated false share stays within `false_share` when the
    candidate itself is counted as wrong, so that it depends on calibration units and candidate symmetrically.
    """
    ranks, weight = _ranks(calibration, candidates), candidates.weight
    total = float(calibration.weight.sum())
    share = false_share * ranks.reached / len(candidates)
    heaviest = np.where(ranks.reached > 0, (total * share - ranks.lost) / (1 - share), -np.inf)
    still = np.maximum.accumulate(heaviest[::-1])[::-1]
    threshold = len(still) - 1 - np.searchsorted(still[::-1], weight, side="left")
    inside = (threshold >= 0) & (ranks.above <= threshold)
    lost = ranks.lost[np.maximum(threshold, 0)]
    values: Floats = np.where(inside, (total + weight) / np.maximum(lost + weight, 1e-300), 0.0)
    return values


def _ranks(calibration: CalibrationUnits, candidates: CandidateUnits) -> _Ranks:
    wrong = np.flatnonzero(calibration.wrong)
    order = wrong[np.argsort(-calibration.score[wrong], kind="stable")]
    descending = -calibration.score[order]
    above = np.searchsorted(descending, -candidates.score, side="right")
    reached = np.cumsum(np.bincount(above, minlength=len(order) + 1))
    return _Ranks(above, reached, np.concatenate([[0.0], np.cumsum(calibration.weight[order])]))
