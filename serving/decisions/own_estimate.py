"""In which cases an officer says what they expect before they see the score: a draw, the same whenever it is asked."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from features.snapshot import Snapshot
from serving.decisions.policy import DecisionPolicy

ESTIMATORS = ("officer", "admin")
"""The roles that are asked for an own estimate; others see every score and order tests at once."""


@dataclass(frozen=True)
class Case:
    """A SKU in a market, as scored on one day."""

    sku_id: str
    market: str
    as_of: date

    @property
    def subject(self) -> str:
        """How the ledger names the SKU."""
        return f"{self.sku_id} {self.market}"


@dataclass(frozen=True)
class Draw:
    """Whether the case was drawn, and the probability with which it could have been."""

    drawn: bool
    probability: float


def drawn_for_estimate(case: Case, policy: DecisionPolicy) -> Draw:
    """Draw whether this case asks for an own estimate; the number drawn is a digest of salt and case."""
    return Draw(_number(case.sku_id, case.market, case.as_of, policy) < policy.estimate_share, policy.estimate_share)


def drawn_cases(snapshot: Snapshot, policy: DecisionPolicy) -> NDArray[np.bool_]:
    """Which rows of a snapshot are cases that `drawn_for_estimate` draws."""
    keys = snapshot.keys(0, len(snapshot))
    pairs = zip(keys["sku_id"].to_pylist(), keys["market"].to_pylist(), strict=True)
    numbers = (_number(sku_id, market, snapshot.as_of, policy) for sku_id, market in pairs)
    return np.fromiter(numbers, np.float64, len(snapshot)) < policy.estimate_share


def _number(sku_id: str, market: str, as_of: date, policy: DecisionPolicy) -> float:
    """A number from 0 to 1, even over all cases."""
    told = "\0".join([policy.salt, sku_id, market, as_of.isoformat()])
    return int.from_bytes(sha256(told.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64
