"""What would fail: the likeliest hazard of a SKU, what its failure weighs, and its risk level."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.fitted_tables import FittedTables
from models.hazard_shares import HazardShares, read_hazard_shares
from models.risk_levels import HARM_LEVELS, LEVELS, UNKNOWN, RiskLevelPolicy

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Ranks = NDArray[np.int8]

AGE_GRADE = "sku_age_grade_months"


def features_of_harm(reference: FittedTables) -> tuple[str, ...]:
    """The features that an assessment reads."""
    return (AGE_GRADE, *sorted(set(reference["hazard_evidence"]["feature"].to_pylist())))


@dataclass(frozen=True)
class HarmAssessment:
    """One entry per SKU: what would most likely fail, and how serious that is.

    `hazard` is the code of the likeliest hazard in `hazards`, UNKNOWN where no failure of the category is known;
    `hazard_share` its share of the SKU's failures (0 to 1), `risk_level` a rank in LEVELS, `plan_weight` what a failure
    weighs in a plan; NaN or UNKNOWN where the hazard is.
    """

    hazards: tuple[str, ...]
    hazard: Integers
    hazard_share: Floats
    risk_level: Ranks
    plan_weight: Floats

    @property
    def hazard_names(self) -> pa.Array:
        """The likeliest hazards by name, null where unknown."""
        return _names(self.hazards, self.hazard)

    @property
    def risk_level_names(self) -> pa.Array:
        """The risk levels by name, null where unknown."""
        return _names(LEVELS, self.risk_level)


def _names(names: Sequence[str], codes: NDArray[np.signedinteger]) -> pa.Array:
    return pa.array(names, pa.string()).take(pa.array(codes, mask=codes == UNKNOWN))


@dataclass(frozen=True)
class _Outcomes:
    """What follows from shares of hazards but for p_fail: hazard, its share, weight, and harm of each level or worse.

    `harm` (rows, HARM_LEVELS) is the largest probability over the hazards, given a failure.
    """

    hazard: Integers
    share: Floats
    weight: Floats
    harm: Floats


class HarmAssessor:
    """A model's hazards under the policy of a day.

    Probability of harm is p_fail x share of the hazard x the policy's probability of injury; a SKU has the level of its
    most serious hazard. Nothing here ever rests on more than the row itself.
    """

    def __init__(self, reference: FittedTables, feature_names: Sequence[str], policy: RiskLevelPolicy) -> None:
        names = list(feature_names)
        self._policy, self._shares = policy, read_hazard_shares(reference, names)
        self._age_grade = names.index(AGE_GRADE) if AGE_GRADE in names else None
        if self._shares is not None:
            harms = [_harms(self._shares, policy, young) for young in (False, True)]
            self._harm, self._weight = (np.stack(each) for each in zip(*harms, strict=True))
            cells = np.arange(len(self._shares.shares))
            self._of_cells = [self._outcomes(self._shares.shares, cells, np.full(len(cells), young))
                              for young in (0, 1)]  # fmt: skip

    @property
    def policy(self) -> RiskLevelPolicy:
        """The policy of the day."""
        return self._policy

    def assess(self, keys: Iterable[tuple[str | None, ...]], matrix: Floats, p_fail: Floats) -> HarmAssessment:
        """Assess SKUs by their keys, as in CELL, their features (rows, columns) and p_fail (rows)."""
        count = len(matrix)
        result = HarmAssessment(
            () if self._shares is None else self._shares.hazards, np.full(count, UNKNOWN), np.full(count, np.nan),
            np.full(count, UNKNOWN, dtype=np.int8), np.full(count, np.nan),
        )  # fmt: skip
        if self._shares is None:
            return result
        cells = self._shares.cells(keys)
        known = np.flatnonzero(cells != UNKNOWN)
        outcomes = self._look_up(cells[known], matrix[known])
        result.hazard[known], result.hazard_share[known] = outcomes.hazard, outcomes.share
        result.risk_level[known] = self._policy.rank(p_fail[known, None] * outcomes.harm)
        result.plan_weight[known] = outcomes.weight
        return result

    def _look_up(self, cells: Integers, matrix: Floats) -> _Outcomes:
        """The outcomes of the cells, computed anew for rows whose reviews mention a hazard more often than usual."""
        assert self._shares is not None
        young = self._is_young(matrix)
        everybody, of_young = self._of_cells
        result = _Outcomes(*(values[cells] for values in vars(everybody).values()))
        if (rows := np.flatnonzero(young)).size:
            for values, others in zip(vars(result).values(), vars(of_young).values(), strict=True):
                values[rows] = others[cells[rows]]
        evidence = self._shares.evidence
        rates = matrix[:, evidence.columns]
        rows = np.flatnonzero((rates > evidence.usual).any(axis=1))
        if not rows.size:
            return result
        tilted = evidence.tilt(self._shares.shares[cells[rows]], rates[rows])
        for values, anew in zip(vars(result).values(), vars(self._outcomes(tilted, cells[rows], young[rows])).values(),
                                strict=True):  # fmt: skip
            values[rows] = anew
        return result

    def _is_young(self, matrix: Floats) -> Integers:
        """1 for products for young children, else 0."""
        if self._age_grade is None:
            return np.zeros(len(matrix), dtype=np.int64)
        return (matrix[:, self._age_grade] < self._policy.young.below_months).astype(np.int64)

    def _outcomes(self, shares: Floats, cells: Integers, young: Integers) -> _Outcomes:
        """What follows from shares (rows, hazards) in these cells."""
        assert self._shares is not None
        category, rows = self._shares.category[cells], np.arange(len(shares))
        hazard = shares.argmax(axis=1)
        harm = (shares[:, :, None] * self._harm[young, category]).max(axis=1)
        return _Outcomes(hazard, shares[rows, hazard], (shares * self._weight[young, category]).sum(axis=1), harm)


def _harms(shares: HazardShares, policy: RiskLevelPolicy, young: bool) -> tuple[Floats, Floats]:
    """Given a failure by each hazard: probability of harm of each level or worse, and the weight in a plan.

    Arrays (categories, hazards, HARM_LEVELS) and (categories, hazards).
    """
    reached = np.array([policy.levels_reached(hazard, young) for hazard in shares.hazards])
    injury = np.array([policy.harm_of(hazard, young).injury_probability for hazard in shares.hazards])
    at_least = reached[:, :, None] >= np.arange(1, HARM_LEVELS + 1)
    harm = np.einsum("chs,hsl->chl", shares.severities, at_least) * injury[:, None]
    weights = np.array(policy.plan_weights.of_levels)[reached - 1]
    return harm, np.einsum("chs,hs->ch", shares.severities, weights)
