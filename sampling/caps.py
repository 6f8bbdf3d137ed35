"""The share of its probability that a SKU keeps where its supplier would expect more tests than the cap."""

import numpy as np

from sampling.bounds import MARGIN
from sampling.limits import Codes, Floats, Limits, Units

_LEAST_SHARE = 0.01


def shares_under_caps(
    units: Units, limits: Limits, package: Codes, chance: Floats, slack: float = 0.0
) -> Floats | None:
    """A share per SKU under which no supplier expects more tests than its cap; None where all may keep everything.

    `chance` are inclusion probabilities; suppliers that must give way end a `slack` (a share) below the cap. SKUs
    whose cell has a minimum give way last: the law stands above the cap. Suppliers without more SKUs than the cap can
    not exceed it.
    """
    if limits.supplier_cap is None or not len(units):
        return None
    number, most = units.supplier + 1, limits.supplier_cap - MARGIN
    tests = np.bincount(number, weights=chance)
    over = (tests > most) & (np.bincount(number) > limits.supplier_cap)
    over[0] = False
    if not over.any():
        return None
    most *= 1 - slack
    full = np.array([options[0] for options in limits.options])
    lawful = (limits.least > 0)[units.cell] & (full[units.cell] == package)
    asked = np.bincount(number[lawful], weights=chance[lawful], minlength=len(tests))
    others = tests - asked
    of_others = np.clip((most - asked) / np.maximum(others, MARGIN), _LEAST_SHARE, 1.0)
    of_law = np.clip((most - of_others * others) / np.maximum(asked, MARGIN), 0.0, 1.0)
    rows = np.flatnonzero(over[number])
    supplier, share = number[rows], np.ones(len(units))
    share[rows] = np.where(lawful[rows], of_law[supplier], of_others[supplier])
    return share
