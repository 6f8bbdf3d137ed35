"""The share of failing SKUs in a catalogue and its parts: one figure per domain, pooled over rounds."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sampling.estimation.difference_estimator import (
    ProportionEstimate,
    design_variance,
    difference_total,
    korn_graubard,
)
from sampling.estimation.policy import EstimationPolicy
from sampling.estimation.round_data import Domain, RoundData
from sampling.problem import Floats, floats
from sampling.testing_value import shrink_to_mean

BY_SKUS, BY_UNITS_SOLD, BY_VIEWS = "SKUs", "units sold", "views"


@dataclass(frozen=True)
class DomainEstimate:
    """The prevalence of one domain, counted in SKUs or weighted by units sold or views.

    `withheld` is the reason to publish the upper limit only, empty where the figure may be published; `provisional`
    that results are still awaited. `rounds` went into it, with `tests` results and `failures` among them.
    """

    domain: Domain
    measure: str
    share: ProportionEstimate
    withheld: str
    provisional: bool
    rounds: tuple[str, ...]
    tests: int
    failures: int


@dataclass(frozen=True)
class _RoundEstimate:
    """One round's estimate of one domain, as shares; `foreseen` is the variance known at design time.

    `screen_errors` are by how much it would fall if a screen's sensitivity were one standard deviation higher.
    """

    value: float
    expected: float
    variance: float
    foreseen: float
    expected_failures: float
    tests: int
    failures: int
    screen_errors: Mapping[str, float]


def prevalence(
    rounds: Sequence[RoundData], domain: Domain, measure: str, policy: EstimationPolicy
) -> DomainEstimate | None:
    """The prevalence of `domain` over `rounds`, or None where no round has a SKU of it.

    Weighted by another measure than SKUs, each SKU counts as often as its `exposure`: units sold, or what
    `views.weigh_by_views` put there.

    Each round's difference estimate has the larger of its design variance and the variance foreseen. Rounds are
    weighted by 1 / the variance foreseen at design time: weights that follow the results would favour the rounds
    which by luck found few failures. What is not known of a screen's sensitivity errs in all rounds alike.
    """
    estimates = [
        (each, estimate) for each in rounds if (estimate := _estimate_round(each, domain, measure)) is not None
    ]
    if not estimates:
        return None
    weight = inverse_variance_weights([estimate.foreseen for _, estimate in estimates])
    value, expected = (
        float(weight @ [getattr(estimate, name) for _, estimate in estimates]) for name in ("value", "expected")
    )
    variance = float(weight**2 @ [estimate.variance for _, estimate in estimates])
    common = defaultdict[str, float](float)
    for part, (_, estimate) in zip(weight, estimates, strict=True):
        for screen, error in estimate.screen_errors.items():
            common[screen] += float(part) * error
    variance += sum(error**2 for error in common.values())
    share = korn_graubard(value, variance, expected, policy.level)
    foreseen = sum(estimate.expected_failures for _, estimate in estimates)
    return DomainEstimate(
        domain,
        measure,
        share,
        reason_to_withhold(share, foreseen, policy),
        any(each.share_in < policy.final_share for each, _ in estimates),
        tuple(each.round_id for each, _ in estimates),
        sum(estimate.tests for _, estimate in estimates),
        sum(estimate.failures for _, estimate in estimates),
    )


def reason_to_withhold(share: ProportionEstimate, expected_failures: float, policy: EstimationPolicy) -> str:
    """The reason not to publish a share, empty where it may be; `expected_failures` among the tests drawn by chance."""
    if share.effective_tests < policy.least_effective_tests:
        return f"equivalent to {share.effective_tests:.0f} random tests; {policy.least_effective_tests:.0f} needed"
    if expected_failures < policy.least_expected_failures:
        return f"{expected_failures:.1f} failures expected; {policy.least_expected_failures:.0f} needed"
    if share.width >= policy.widest:
        return f"interval {share.width:.0%} wide"
    if share.width > policy.narrow and share.width > policy.widest_relative * max(share.value, 0.0):
        return f"interval {share.width:.1%} wide around {share.value:.1%}"
    return ""


def domains_of(rounds: Sequence[RoundData]) -> list[Domain]:
    """The whole catalogue, then every category and market that occurs, by name."""
    names = {
        pair
        for each in rounds
        for pair in zip(each.strata["category"].to_pylist(), each.strata["market"].to_pylist(), strict=True)
        if None not in pair
    }
    return [Domain(), *(Domain(category, market) for category, market in sorted(names))]


def _estimate_round(data: RoundData, domain: Domain, measure: str) -> _RoundEstimate | None:
    by_units = measure != BY_SKUS
    size_name, expected_name, foreseen_name = (
        ("exposure", "exposure_p_fail", "exposure_foreseen") if by_units else ("skus", "p_fail_sum", "foreseen")
    )
    inside = domain.holds(data.strata)
    size, expected, foreseen = (
        float(floats(data.strata, name)[inside].sum()) for name in (size_name, expected_name, foreseen_name)
    )
    settled = data.outside.filter(domain.holds(data.outside))
    weight = floats(settled, "exposure") if by_units else np.ones(len(settled))
    total = size + float(weight.sum())
    if total <= 0:
        return None
    known = float(weight @ floats(settled, "failed"))
    tested = data.tested(domain, by_units)
    at_random = tested.inclusion < 1
    mean = expected / size if size else 0.0
    design = design_variance(tested)
    variance = max(design, foreseen) if np.isfinite(design) else foreseen
    return _RoundEstimate(
        value=(known + difference_total(tested, expected)) / total,
        expected=(known + expected) / total,
        variance=variance / total**2,
        foreseen=foreseen / total**2,
        expected_failures=float(shrink_to_mean(tested.p_fail[at_random], mean).sum()),
        tests=len(tested.failed),
        failures=data.count_failures(domain),
        screen_errors={screen: error / total for screen, error in data.screen_errors(domain, by_units).items()},
    )


def inverse_variance_weights(foreseen: list[float]) -> Floats:
    """Weights in proportion to 1 / variance; rounds that leave nothing to chance take all the weight."""
    variances = np.array(foreseen)
    exact = variances <= 0
    raw = exact.astype(np.float64) if exact.any() else 1 / variances
    return np.asarray(raw / raw.sum())
