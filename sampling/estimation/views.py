"""Prevalence weighted by views, and how much more often failing SKUs are shown than listed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log, sqrt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import norm

from sampling.estimation.difference_estimator import design_variance
from sampling.estimation.policy import EstimationPolicy
from sampling.estimation.prevalence import BY_SKUS, BY_VIEWS, DomainEstimate, inverse_variance_weights, prevalence
from sampling.estimation.round_data import Domain, RoundData
from sampling.problem import Floats, Integers, floats
from sampling.testing_value import outcome_variance

SKU = ["sku_id", "market"]
VIEWS = "views"


def weigh_by_views(data: RoundData, frame: pa.Table, views: pa.Table) -> RoundData:
    """The round with views as what every SKU counts.

    `frame` has the SKUs that could be drawn (sku_id, market, category, stratum, p_fail), `views` the views of each SKU
    (sku_id, market, views); a SKU that was never shown counts 0.
    """
    strata = data.strata
    shown, p_fail = _views_of(frame, views), floats(frame, "p_fail")
    row = _rows_of(frame, strata)
    inside = row >= 0  # strata that could not be drawn are left out
    row, shown, p_fail = row[inside], shown[inside], p_fail[inside]
    chance = floats(strata, "inclusion")[row]
    spread = outcome_variance(p_fail) * (1 / chance - 1)

    def total(values: Floats) -> Floats:
        return np.bincount(row, weights=values, minlength=len(strata)).astype(np.float64)

    foreseen, skus = floats(strata, "foreseen"), total(np.ones(len(row)))
    mean, square = (
        _mean(total(spread * shown**power), total(spread), total(shown**power) / np.maximum(skus, 1))
        for power in (1, 2)
    )
    columns = {
        "exposure": total(shown), "exposure_p_fail": total(shown * p_fail), "exposure_foreseen": square * foreseen,
    }  # fmt: skip
    for name, values in columns.items():
        strata = strata.set_column(strata.column_names.index(name), name, pa.array(values))
    strata = strata.append_column("exposure_covariance", pa.array(mean * foreseen))
    return replace(data, strata=strata, units=_weighed(data.units, views), outside=_weighed(data.outside, views))


def _rows_of(frame: pa.Table, strata: pa.Table) -> Integers:
    """The row of each SKU's stratum, -1 where the table has none."""
    key = ["category", "market", "stratum"]
    places = strata.select(key).append_column("row", pa.array(np.arange(len(strata))))
    places = places.set_column(2, "stratum", places["stratum"].cast(frame.schema.field("stratum").type))
    keys = frame.select(key).append_column("place", pa.array(np.arange(len(frame))))
    return np.asarray(pc.fill_null(keys.join(places, key).sort_by("place")["row"], -1), dtype=np.int64)


def _mean(weighted: Floats, variance: Floats, plain: Floats) -> Floats:
    """Means weighted by the variance of each SKU's outcome; the `plain` mean of strata without any."""
    return np.divide(weighted, variance, out=plain.copy(), where=variance > 0)


def _views_of(table: pa.Table, views: pa.Table) -> Floats:
    keys = table.select(SKU).append_column("place", pa.array(np.arange(len(table))))
    joined = keys.join(views.select([*SKU, VIEWS]), SKU).sort_by("place")
    return np.nan_to_num(floats(joined, VIEWS))


def _weighed(table: pa.Table, views: pa.Table) -> pa.Table:
    return table.set_column(table.column_names.index("exposure"), "exposure", pa.array(_views_of(table, views)))


@dataclass(frozen=True)
class ExposureRatio:
    """How many times as often failing SKUs are shown as they are listed, with its interval, and both prevalences.

    `withheld` is the reason to tell none, empty where it may be told.
    """

    value: float
    low: float
    high: float
    by_views: DomainEstimate
    by_skus: DomainEstimate
    withheld: str


def exposure_ratio(rounds: Sequence[RoundData], domain: Domain, policy: EstimationPolicy) -> ExposureRatio | None:
    """The prevalence weighted by views, divided by that of SKUs; None where no round has a SKU that was shown.

    Its interval is of the logarithm, by linearisation (Särndal, Swensson and Wretman 1992, ch. 5): both prevalences
    rest on the same tests, so that their errors are taken together. The variance is the larger of that of the design
    and the one foreseen. `rounds` are those of `weigh_by_views`.
    """
    by_views, by_skus = (prevalence(rounds, domain, measure, policy) for measure in (BY_VIEWS, BY_SKUS))
    if by_views is None or by_skus is None:
        return None
    withheld = by_views.withheld or by_skus.withheld
    if by_views.share.value <= 0 or by_skus.share.value <= 0:
        return ExposureRatio(float("nan"), 0.0, float("inf"), by_views, by_skus, withheld or "no failure was found")
    value = by_views.share.value / by_skus.share.value
    views, skus = (_weights(rounds, domain, measure) for measure in (BY_VIEWS, BY_SKUS))
    design = foreseen = 0.0
    for each, of_views, of_skus in zip(rounds, views, skus, strict=True):
        per_view, per_sku = of_views / by_views.share.value, of_skus / by_skus.share.value
        tested = each.tested(domain, by_exposure=True)
        share = replace(tested, size=per_view * tested.size - per_sku)
        own = design_variance(share)
        expected = _foreseen(each, domain, per_view, per_sku)
        foreseen += expected
        design += own if np.isfinite(own) else expected
    spread = norm.ppf(0.5 + policy.level / 2) * sqrt(max(design, foreseen))
    return ExposureRatio(value, exp(log(value) - spread), exp(log(value) + spread), by_views, by_skus, withheld)


def _foreseen(data: RoundData, domain: Domain, per_view: float, per_sku: float) -> float:
    """The variance foreseen of the sum of (views x `per_view` - `per_sku`) x outcome."""
    inside = domain.holds(data.strata)
    square, cross, plain = (
        float(floats(data.strata, name)[inside].sum())
        for name in ("exposure_foreseen", "exposure_covariance", "foreseen")
    )
    return max(per_view**2 * square - 2 * per_view * per_sku * cross + per_sku**2 * plain, 0.0)


def _weights(rounds: Sequence[RoundData], domain: Domain, measure: str) -> list[float]:
    """What one failing unit of each round adds to the pooled share: the round's weight / its total, 0 without any."""
    name, foreseen_name = ("skus", "foreseen") if measure == BY_SKUS else ("exposure", "exposure_foreseen")
    totals, variances = [], []
    for each in rounds:
        inside, settled = domain.holds(each.strata), each.outside.filter(pa.array(domain.holds(each.outside)))
        outside = float(len(settled)) if measure == BY_SKUS else float(floats(settled, "exposure").sum())
        totals.append(float(floats(each.strata, name)[inside].sum()) + outside)
        variances.append(float(floats(each.strata, foreseen_name)[inside].sum()))
    known = [number for number, total in enumerate(totals) if total > 0]
    weights = np.zeros(len(totals))
    weights[known] = inverse_variance_weights([variances[number] / totals[number] ** 2 for number in known])
    return [float(each) for each in weights / np.where(weights > 0, totals, 1)]
