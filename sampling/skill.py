"""How good the model is on the whole catalogue, read from tests that followed its own scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sampling.evidence import Domain, Evidence
from sampling.limits import Floats

RISKIEST = (0.01, 0.05, 0.10)


@dataclass(frozen=True)
class Skill:
    """Skills on the whole catalogue; NaN where the tests hold no failure.

    `auc` is the chance that a failing SKU scores above a good one; `failures_per_expected` is 1 when calibrated, above
    1 when the model is too calm; `recall` the share of all failures among the riskiest 1, 5 and 10 % of SKUs.
    `effective_tests` is Kish's number of equally weighted tests that would be worth as much.
    """

    auc: float
    failures_per_expected: float
    recall: tuple[float, ...]
    effective_tests: float


def skill(rounds: Sequence[Evidence]) -> Skill:
    """The model's skill by tests weighted with 1 / (inclusion probability x response rate).

    The tests alone would flatter or slander it: they hold the SKUs it chose. Outcomes corrected for laboratory errors
    enter as they are.
    """
    tested = [each.tested(Domain(), by_exposure=False) for each in rounds]
    failed, p_fail = (np.concatenate([getattr(each, name) for each in tested]) for name in ("failed", "p_fail"))
    weight = np.concatenate([1 / each.inclusion for each in tested])
    order = np.argsort(-p_fail, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(p_fail[order]) != 0])
    failures, everybody = (np.add.reduceat(mass[order], starts) for mass in (weight * failed, weight))
    return Skill(
        auc=_auc(failures, everybody - failures),
        failures_per_expected=float((weight * failed).sum() / (weight * p_fail).sum()),
        recall=tuple(_recall(failures, everybody, share) for share in RISKIEST),
        effective_tests=float(weight.sum() ** 2 / (weight**2).sum()),
    )


def _auc(failures: Floats, passes: Floats) -> float:
    above = np.cumsum(failures) - failures / 2
    pairs = failures.sum() * passes.sum()
    return float((above * passes).sum() / pairs) if pairs > 0 else float("nan")


def _recall(failures: Floats, everybody: Floats, share: float) -> float:
    wanted = share * everybody.sum()
    taken = np.clip((wanted - (np.cumsum(everybody) - everybody)) / everybody, 0, 1)
    return float((failures * taken).sum() / failures.sum()) if failures.sum() > 0 else float("nan")
