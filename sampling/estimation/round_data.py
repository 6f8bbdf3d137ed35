"""Data of one round: its frame summed by stratum, tests with inclusion probabilities, known SKUs outside the frame."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.errors import UserError
from sampling.estimation.difference_estimator import Outcomes
from sampling.estimation.policy import EstimationPolicy
from sampling.problem import Floats, Integers, Truths, floats
from sampling.testing_value import shrink_to_mean


def response_rates(answered: Truths, groupings: Sequence[Sequence[object]]) -> Floats:
    """The share of each drawn unit's group that answered, along the units.

    `groupings` name each unit's group, from fine to coarse, each nested in the next; the last holds everybody. Where a
    group has no answer, all parts of its next coarser group speak together. Weighting by 1 / (inclusion probability x
    rate) makes response a second phase of the draw (Särndal, Swensson and Wretman 1992, ch. 15). All 0 where nobody
    answered.
    """
    group = _group_numbers(groupings[0])
    for grouping in groupings[1:]:
        coarser = _group_numbers(grouping)
        silent = np.bincount(group, weights=answered)[group] == 0
        speaks_together = np.isin(coarser, coarser[silent])
        group = _group_numbers(np.where(speaks_together, -1 - coarser, group))
    return np.asarray(np.bincount(group, weights=answered)[group] / np.bincount(group)[group])


def _group_numbers(names: Iterable[object]) -> Integers:
    return np.unique(np.asarray([str(name) for name in names]), return_inverse=True)[1].astype(np.int64)


DECIDED = ("pass", "fail")


@dataclass(frozen=True)
class Domain:
    """A part of the catalogue; None stands for all categories, all markets."""

    category: str | None = None
    market: str | None = None

    def holds(self, table: pa.Table) -> Truths:
        """Which rows of a table with `category` and `market` belong to it."""
        inside = np.ones(len(table), dtype=np.bool_)
        for name, wanted in (("category", self.category), ("market", self.market)):
            if wanted is not None:
                inside &= np.asarray(pc.fill_null(pc.equal(table[name], wanted), False))
        return inside


@dataclass(frozen=True)
class CellUnion(Domain):
    """Several cells, each a category in a market, as one domain."""

    cells: frozenset[tuple[str, str]] = frozenset()

    def holds(self, table: pa.Table) -> Truths:
        """Which rows of a table with `category` and `market` belong to one of its cells."""
        names = pc.binary_join_element_wise(table["category"], table["market"], _BETWEEN)
        wanted = pa.array([_BETWEEN.join(cell) for cell in sorted(self.cells)], pa.string())
        return np.asarray(pc.fill_null(pc.is_in(names, wanted), False), dtype=np.bool_)


_BETWEEN = "\x1f"


@dataclass(frozen=True)
class RoundData:
    """One round, ready to estimate from.

    `strata` has one row per category, market and stratum: skus, p_fail_sum, exposure, exposure_p_fail, and what was
    foreseen of its sums' variances with response and laboratory errors, foreseen and exposure_foreseen (strata that
    could not be drawn are left out). `units` are the tests with a result: sku_id, category, market, failed (corrected
    for laboratory errors), noise (the variance of `failed` by these errors), p_fail, inclusion (times the response
    rate), exposure. `outside` are the SKUs that were in test or validly tested by then and whose result is known by
    now: sku_id, category, market, exposure, failed.
    """

    round_id: str
    strata: pa.Table
    units: pa.Table
    outside: pa.Table
    share_in: float

    def tested(self, domain: Domain, by_exposure: bool) -> Outcomes:
        """The tests with a result in a domain."""
        units = self.units.filter(pa.array(domain.holds(self.units)))
        size = floats(units, "exposure") if by_exposure else np.ones(len(units))
        failed, p_fail, inclusion, noise = (floats(units, name) for name in ("failed", "p_fail", "inclusion", "noise"))
        return Outcomes(failed, p_fail, inclusion, size, noise)


@dataclass(frozen=True)
class RoundRecord:
    """A round as written: `plan`, `strata` and `outside`, and results (sku_id, market, result).

    `results` are of the round's own tests, `earlier` of tests drawn before it; the last row of a SKU counts.
    """

    round_id: str
    plan: pa.Table
    strata: pa.Table
    outside: pa.Table
    results: pa.Table
    earlier: pa.Table


def build_round_data(record: RoundRecord, policy: EstimationPolicy) -> RoundData:
    """Join the plan of a round with its results.

    Raises UserError where the plan's tests were not drawn with known probabilities: the failures among such tests are
    no prevalence, and neither is the mean of a model's scores.
    """
    plan = record.plan
    _refuse_unknown_chances(record.round_id, plan)
    answered = _last_results(plan, record.results)
    known = np.isin(np.array([str(result) for result in answered]), DECIDED)
    if not known.any():
        raise UserError(
            f"Round {record.round_id} has no result yet; the mean of its scores is no prevalence. "
            "Hand in results with `touchstone results FILE`."
        )
    everybody = [0] * len(plan)
    rate = response_rates(known, (_strata_names(plan), plan["category"].to_pylist(), everybody))
    youden, noise = _youden_and_noise(plan, policy)
    failed = (np.array([result == "fail" for result in answered], dtype=np.float64) - noise) / youden
    columns = {
        "sku_id": plan["sku_id"],
        "category": plan["category"],
        "market": plan["market"],
        "failed": pa.array(failed),
        "noise": pa.array(_laboratory_variance(failed, youden, noise)),
        "p_fail": plan["p_fail"],
        "inclusion": pa.array(floats(plan, "inclusion_probability") * rate),
        "exposure": pa.array(_exposure(plan)),
    }
    units = pa.table(columns).filter(pa.array(known))
    reachable = record.strata.filter(pc.greater(record.strata["inclusion"], 0))
    outcomes = _append_foreseen_variance(reachable, plan, rate, youden, noise)
    return RoundData(
        record.round_id, outcomes, units, _known_outside(record.outside, record.earlier), float(known.mean())
    )


def _refuse_unknown_chances(round_id: str, plan: pa.Table) -> None:
    name = "inclusion_probability"
    chances = floats(plan, name) if name in plan.column_names else np.zeros(0)
    if not len(plan) or len(chances) != len(plan) or not ((chances > 0) & (chances <= 1)).all():
        raise UserError(
            f"Round {round_id} was not drawn with known inclusion probabilities, so what it found is no prevalence: "
            "tests that follow suspicion overstate it. Draw a round with `touchstone allocate`."
        )


def _last_results(plan: pa.Table, results: pa.Table) -> list[str | None]:
    """The last result of each unit of the plan, None where there is none."""
    keys = zip(results["sku_id"].to_pylist(), results["market"].to_pylist(), strict=True)
    last = dict(zip(keys, results["result"].to_pylist(), strict=True))
    return [last.get(key) for key in zip(plan["sku_id"].to_pylist(), plan["market"].to_pylist(), strict=True)]


def _strata_names(plan: pa.Table) -> list[str]:
    columns = (plan[name].to_pylist() for name in ("category", "market", "stratum"))
    return [_BETWEEN.join(str(part) for part in parts) for parts in zip(*columns, strict=True)]


def _youden_and_noise(plan: pa.Table, policy: EstimationPolicy) -> tuple[Floats, Floats]:
    """Per unit what Rogan and Gladen (Am. J. Epidemiol. 107 (1978) 71) need: Se + Sp - 1, and 1 - Sp."""
    sensitivity = policy.laboratory.sensitivity * _sensitivity(plan)
    noise = 1 - policy.laboratory.specificity
    return sensitivity - noise, np.full(len(plan), noise)


def _laboratory_variance(failed: Floats, youden: Floats, noise: Floats) -> Floats:
    """The variance of corrected results about the truth: sound goods called failing, failing ones overlooked."""
    sensitivity = youden + noise
    return np.asarray((failed * sensitivity * (1 - sensitivity) + (1 - failed) * noise * (1 - noise)) / youden**2)


def _sensitivity(plan: pa.Table) -> Floats:
    return floats(plan, "sensitivity") if "sensitivity" in plan.column_names else np.ones(len(plan))


def _append_foreseen_variance(
    strata: pa.Table, plan: pa.Table, rate: Floats, youden: Floats, noise: Floats
) -> pa.Table:
    """The strata with the variances foreseen of their sums, by their units' response and laboratory.

    A stratum without a drawn unit answers like the average one.
    """
    names, group = np.unique(np.array(_strata_names(plan)), return_inverse=True)
    units = np.bincount(group)
    position = np.searchsorted(names, own := np.array(_strata_names(strata)))
    is_drawn = np.isin(own, names)
    rates, youdens = (
        np.where(is_drawn, (np.bincount(group, weights=each) / units)[np.where(is_drawn, position, 0)], each.mean())
        for each in (rate, youden)
    )
    skus, expected, chance, variance, exposure, exposure_variance = (
        floats(strata, name)
        for name in ("skus", "p_fail_sum", "inclusion", "variance", "exposure", "exposure_variance")
    )
    mixed = shrink_to_mean(expected / skus, float(expected.sum() / skus.sum()))
    seen = mixed * youdens + noise[0]
    foreseen = skus * (seen * (1 - seen) / youdens**2 / (chance * rates) - mixed * (1 - mixed))
    square = np.where(variance > 0, exposure_variance / np.where(variance > 0, variance, 1), (exposure / skus) ** 2)
    return strata.append_column("foreseen", pa.array(foreseen)).append_column(
        "exposure_foreseen", pa.array(square * foreseen)
    )


def _known_outside(outside: pa.Table, results: pa.Table) -> pa.Table:
    """The SKUs outside the frame whose state is known: those in test by then have their result by now."""
    known = _last_results(outside, results)
    failed = [
        before if before is not None else {"fail": True, "pass": False}.get(str(now))
        for before, now in zip(outside["failed"].to_pylist(), known, strict=True)
    ]
    table = pa.table({
        "sku_id": outside["sku_id"], "category": outside["category"], "market": outside["market"],
        "exposure": pa.array(_exposure(outside)),
        "failed": pa.array(failed, pa.bool_()),
    })  # fmt: skip
    return table.filter(pc.is_valid(table["failed"]))


def _exposure(table: pa.Table) -> Floats:
    return np.nan_to_num(floats(table, "exposure")) if "exposure" in table.column_names else np.ones(len(table))
