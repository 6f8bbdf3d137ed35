"""In which cases an officer says what they expect before they see the score: a draw, the same whenever it is asked."""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256

import numpy as np

from serving.decisions.policy import DecisionPolicy


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
    """Draw whether this case asks for an own estimate; the salt of the policy and the case are the seed."""
    told = "\0".join([policy.salt, case.sku_id, case.market, case.as_of.isoformat()])
    seed = int.from_bytes(sha256(told.encode("utf-8", "surrogatepass")).digest()[:16], "big")
    return Draw(bool(np.random.default_rng(seed).random() < policy.estimate_share), policy.estimate_share)
