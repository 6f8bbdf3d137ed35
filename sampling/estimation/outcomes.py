"""Outcomes of planned tests: results corrected for laboratory errors and for what screens overlook.

Screens are the first phase of a two-phase sample, full tests of a random part of what they passed the second (Särndal,
Swensson and Wretman 1992, ch. 9): a pass counts with the chance g to fail nevertheless, and with (y - g) / q where the
full test said y; q is its probability. So the total has no bias whatever g is worth.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from sampling.estimation.policy import EstimationPolicy
from sampling.estimation.screens import (
    ScreenEvidence,
    Screens,
    chance_to_fail_after_pass,
    learn_sensitivity,
)
from sampling.problem import Floats, Truths, floats

DECIDED = ("pass", "fail")


@dataclass(frozen=True)
class PlannedResults:
    """What is known of a plan's tests; arrays along the plan.

    `answered` tests passed or `failed`; of `retested` ones the confirming test is in, too, and says `failed_retest`.
    `chance` is the probability that a retest looked at a test with this result, `pass_chance` at one that passed: the
    planned probability times the share of confirming tests that are in; 1 of full tests, which need none. `pending`
    still await theirs.
    """

    package: list[str]
    screened: Truths
    answered: Truths
    failed: Truths
    retested: Truths
    failed_retest: Truths
    pending: Truths
    chance: Floats
    pass_chance: Floats
    p_fail: Floats

    @property
    def found(self) -> Truths:
        """The tests that failed by the last word: that of the confirming test where there is one."""
        return np.where(self.retested, self.failed_retest, self.failed)

    def evidence(self, round_id: str) -> list[ScreenEvidence]:
        """What the round teaches of each screen, by its chance of a confirming test, which is rounded to 0.01."""
        named, rounded = np.array(self.package, dtype=np.str_), np.round(self.pass_chance, 2)
        rounded[(rounded == 0) & (self.pass_chance > 0)] = 0.005
        groups = sorted(set(zip(named[self.screened].tolist(), rounded[self.screened].tolist(), strict=True)))
        told = []
        for screen, chance in groups:
            own = self.screened & (named == screen) & (rounded == chance)
            found, overlooked = own & self.failed & self.found, own & ~self.failed & self.found
            unseen = self.p_fail[own & self.answered & ~self.failed & ~self.retested]
            told.append(ScreenEvidence(round_id, screen, int(found.sum()), int(overlooked.sum()), chance, unseen))
        return told


def planned_results(plan: pa.Table, results: pa.Table, confirmations: pa.Table) -> PlannedResults:
    """Join a plan with the results (sku_id, market, result) of its tests, and of those that confirm screens.

    The last row of a SKU counts. Confirming tests of screens that failed are none of the plan's; one that is in all the
    same has the last word.
    """
    own, second = (
        np.array([str(each) for each in last_values(plan, table, "result")]) for table in (results, confirmations)
    )
    screened = _column(plan, "sensitivity", 1.0) < 1
    answered, failed = np.isin(own, DECIDED), own == "fail"
    planned = screened & answered & (_column(plan, "confirmed", 0.0) > 0)
    retested = planned & np.isin(second, DECIDED)
    full = plan["confirming_package"].to_pylist() if "confirming_package" in plan.column_names else [""] * len(plan)
    package = [str(name) for name in plan["package"].to_pylist()] if "package" in plan.column_names else full
    _, pair = np.unique([f"{screen}|{test}" for screen, test in zip(package, full, strict=True)], return_inverse=True)
    probability = _column(plan, "confirmation_probability", 0.0)
    of_pass, of_fail = (_share_in(retested, planned & half, pair) for half in (~failed, failed))
    pass_chance = np.where(screened, probability * of_pass, 1.0)
    return PlannedResults(
        package, screened, answered, failed, retested, second == "fail", planned & ~failed & ~retested,
        np.where(screened & failed, probability * of_fail, pass_chance), pass_chance, floats(plan, "p_fail"),
    )  # fmt: skip


def last_values(units: pa.Table, results: pa.Table, name: str) -> list[Any]:
    """A column of the last of the results of each unit, None where there is none."""
    if name not in results.column_names:
        return [None] * len(units)
    keys = zip(results["sku_id"].to_pylist(), results["market"].to_pylist(), strict=True)
    last = dict(zip(keys, results[name].to_pylist(), strict=True))
    return [last.get(key) for key in zip(units["sku_id"].to_pylist(), units["market"].to_pylist(), strict=True)]


def _share_in(retested: Truths, planned: Truths, pair: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> Floats:
    """Of every unit's pair of screen and full test, the share of planned confirming tests that are in."""
    number = np.bincount(pair, weights=planned)
    return np.asarray((np.bincount(pair, weights=retested & planned) / np.maximum(number, 1))[pair])


def _column(plan: pa.Table, name: str, absent: float) -> Floats:
    return floats(plan, name) if name in plan.column_names else np.full(len(plan), absent)


@dataclass(frozen=True)
class TestErrors:
    """What tests miss and invent; arrays along a plan.

    `sensitivity` of each package (1 of full tests), `spread` its standard deviation; full tests find `laboratory` of
    failures and call `noise` of good ones failing; `pass_chance` is that of `PlannedResults`.
    """

    __test__ = False

    sensitivity: Floats
    spread: Floats
    laboratory: float
    noise: float
    pass_chance: Floats

    @classmethod
    def of(cls, planned: PlannedResults, plan: pa.Table, screens: Screens, policy: EstimationPolicy) -> "TestErrors":
        """Those of a plan's tests, by what is known of its screens."""
        stated = dict(zip(planned.package, _column(plan, "sensitivity", 1.0), strict=True))
        known = {
            name: screens.get(name) or learn_sensitivity(name, float(value), (), policy)
            for name, value in stated.items() if value < 1
        }  # fmt: skip
        of_unit = [known.get(name) for name in planned.package]
        return cls(
            np.array([each.value if each else 1.0 for each in of_unit]),
            np.array([each.spread if each else 0.0 for each in of_unit]),
            policy.laboratory.sensitivity, 1 - policy.laboratory.specificity, planned.pass_chance,
        )  # fmt: skip

    @property
    def youden(self) -> Floats:
        """Se + Sp - 1 of each test alone, by which Rogan and Gladen (Am. J. Epidemiol. 107 (1978) 71) divide."""
        return self.sensitivity * self.laboratory - self.noise

    def variance(self, p_fail: Floats) -> Floats:
        """The variance foreseen of the outcomes of tests whose chance to fail is `p_fail`."""
        full = self.laboratory - self.noise
        seen = p_fail * full + self.noise
        overlooked = p_fail * (1 - self.sensitivity) * (1 - p_fail) / (1 - p_fail * self.sensitivity)
        chance = np.where(self.pass_chance > 0, self.pass_chance, 1.0)
        two_phase = seen * (1 - seen) / full**2 + (1 / chance - 1) * overlooked
        seen = p_fail * self.youden + self.noise
        return np.where(self.pass_chance > 0, two_phase, seen * (1 - seen) / self.youden**2)


@dataclass(frozen=True)
class CorrectedOutcomes:
    """Outcomes along a plan: `failed` corrected, `noise` its variance by all that came after the draw.

    `error` is how much `failed` would fall if the sensitivity of its screen were one standard deviation higher.
    """

    failed: Floats
    noise: Floats
    error: Floats


def corrected_outcomes(planned: PlannedResults, p_fail: Floats, errors: TestErrors) -> CorrectedOutcomes:
    """The outcome of each answered test; by its screen's sensitivity alone where no confirming test is in."""
    full = errors.laboratory - errors.noise
    first, second = (np.asarray((truths - errors.noise) / full) for truths in (planned.failed, planned.failed_retest))
    passed = planned.screened & ~planned.failed
    inside = np.clip(p_fail, 1e-6, 1 - 1e-6)
    guess = np.where(passed, chance_to_fail_after_pass(inside, errors.sensitivity), first)
    weight = np.where(planned.retested, 1 / np.where(planned.chance > 0, planned.chance, 1.0), 0.0)
    weight[~planned.screened] = 0.0
    failed = guess + weight * (second - guess)
    laboratory = _laboratory_variance(first, errors.laboratory, errors.noise)
    again = _laboratory_variance(second, errors.laboratory, errors.noise)
    noise = np.where(passed, 0.0, laboratory) + weight * (weight - 1) * (second - guess) ** 2 + weight**2 * again
    alone = planned.screened & (planned.pass_chance == 0)
    divided = (planned.failed - errors.noise) / errors.youden
    spread = _laboratory_variance(divided, errors.sensitivity * errors.laboratory, errors.noise)
    error = np.where(alone, divided * errors.spread * errors.laboratory / errors.youden, 0.0)
    return CorrectedOutcomes(np.where(alone, divided, failed), np.where(alone, spread, noise), error)


def _laboratory_variance(failed: Floats, sensitivity: Floats | float, noise: float) -> Floats:
    """The variance of corrected results about the truth: sound goods called failing, failing ones overlooked."""
    made = failed * sensitivity * (1 - sensitivity) + (1 - failed) * noise * (1 - noise)
    return np.asarray(made / (sensitivity - noise) ** 2)
