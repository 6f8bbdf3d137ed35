"""What a test of a SKU would cost, how long it takes, and where a passed one would lead the score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sampling.policy import sampling_policy_in_force
from sampling.problem import Package
from serving.published import Published

Floats = NDArray[np.float64]
PRIOR_NAMES = {"sku": "sku_fail", "supplier": "supplier_fail"}


@dataclass(frozen=True)
class NextTest:
    """The best next test, the screens before it, and p_fail after it passed; a failed one is a fact, not a score."""

    package: Package
    screens: tuple[Package, ...]
    if_passed: float


def next_test(published: Published, position: int, cell: tuple[str, str]) -> NextTest:
    """The test that the sampling policy names for a category and market, and what passing it would change."""
    package, *screens = sampling_policy_in_force(published.publication.as_of).options(cell)
    names = published.snapshot.feature_names
    (values,) = published.snapshot.matrix_at(np.array([position]))
    passed = published.assessor.probabilities(_passed(published, names, values)[None, :]).p_fail
    return NextTest(package, tuple(screens), float(passed[0]))


def _passed(published: Published, names: Sequence[str], values: Floats) -> Floats:
    """The features after one more independent test of the SKU, which passed."""
    changed, column = values.copy(), {name: number for number, name in enumerate(names)}
    for entity, prior in PRIOR_NAMES.items():
        mean, strength = published.prior(prior)
        tests = np.nan_to_num(values[column[f"{entity}_tests"]])
        rate = values[column[f"{entity}_fail_rate"]]
        known = mean if np.isnan(rate) else rate
        changed[column[f"{entity}_tests"]] = tests + 1
        changed[column[f"{entity}_fail_rate"]] = known * (tests + strength) / (tests + strength + 1)
        changed[column[f"{entity}_days_since_test"]] = 0.0
    return changed
