"""Data of one round: its frame summed by stratum, tests with inclusion probabilities, known SKUs outside the frame."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.errors import UserError
from sampling.estimation.difference_estimator import Outcomes
from sampling.estimation.outcomes import (
    TestErrors,
    corrected_outcomes,
    last_values,
    planned_results,
)
from sampling.estimation.policy import EstimationPolicy
from sampling.estimation.screens import Screens, chance_to_fail_after_pass
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
_RESULTS = pa.schema([(name, pa.string()) for name in ("sku_id", "market", "result")])


@dataclass(frozen=True)
class RoundData:
    """One round, ready to estimate from.

    `strata` has one row per category, market and stratum: skus, p_fail_sum, exposure, exposure_p_fail, and what was
    foreseen of its sums' variances with response and laboratory errors, foreseen and exposure_foreseen (strata that
    could not be drawn are left out). `units` are the tests with a result: sku_id, category, market, found (whether the
    test failed), failed (corrected for errors of laboratories and screens), noise (the variance of `failed` by these
    errors), p_fail, inclusion (times the response rate), exposure, screen (null of a full test). `outside` are the SKUs
    that were in test or validly tested by then and whose result is known by now: sku_id, category, market, exposure,
    screen, failed (where only a screen passed it, the chance that it fails nevertheless). `error` of both is how much
    `failed` would fall if the screen's sensitivity were one standard deviation higher. `planned` tests were drawn, of
    which a share is in.
    """

    round_id: str
    strata: pa.Table
    units: pa.Table
    outside: pa.Table
    planned: int
    share_in: float

    def tested(self, domain: Domain, by_exposure: bool) -> Outcomes:
        """The tests with a result in a domain."""
        units = self.units.filter(pa.array(domain.holds(self.units)))
        size = floats(units, "exposure") if by_exposure else np.ones(len(units))
        failed, p_fail, inclusion, noise = (floats(units, name) for name in ("failed", "p_fail", "inclusion", "noise"))
        return Outcomes(failed, p_fail, inclusion, size, noise)

    def count_failures(self, domain: Domain) -> int:
        """The tests in a domain that failed."""
        return int(floats(self.units, "found")[domain.holds(self.units)].sum())

    def screen_errors(self, domain: Domain, by_exposure: bool) -> dict[str, float]:
        """By screen, how much the total of failures in a domain would fall by one standard deviation of sensitivity."""
        total = dict[str, float]()
        for table in (self.units, self.outside):
            own = table.filter(pa.array(domain.holds(table) & (floats(table, "error") != 0)))
            size = floats(own, "exposure") if by_exposure else np.ones(len(own))
            chance = floats(own, "inclusion") if "inclusion" in own.column_names else np.ones(len(own))
            for screen, error in zip(own["screen"].to_pylist(), size * floats(own, "error") / chance, strict=True):
                total[screen] = total.get(screen, 0.0) + float(error)
        return total


@dataclass(frozen=True)
class RoundRecord:
    """A round as written: `plan`, `strata` and `outside`, and results (sku_id, market, result).

    `results` are of the round's own tests, `confirmations` of the full tests that confirm its screens, `earlier` of
    tests drawn before it, by package and with the `p_fail` of their plan where they had one; the last row of a SKU
    counts. `screens` is what earlier rounds taught of screens.
    """

    round_id: str
    plan: pa.Table
    strata: pa.Table
    outside: pa.Table
    results: pa.Table
    earlier: pa.Table
    confirmations: pa.Table = field(default_factory=_RESULTS.empty_table)
    screens: Screens = field(default_factory=dict)


def build_round_data(record: RoundRecord, policy: EstimationPolicy) -> RoundData:
    """Join the plan of a round with its results.

    Raises UserError where the plan's tests were not drawn with known probabilities: the failures among such tests are
    no prevalence, and neither is the mean of a model's scores.
    """
    plan = record.plan
    _refuse_unknown_chances(record.round_id, plan)
    told = planned_results(plan, record.results, record.confirmations)
    if not told.answered.any():
        raise UserError(
            f"Round {record.round_id} has no result yet; the mean of its scores is no prevalence. "
            "Hand in results with `touchstone results FILE`."
        )
    everybody = [0] * len(plan)
    rate = response_rates(told.answered, (_strata_names(plan), plan["category"].to_pylist(), everybody))
    errors = TestErrors.of(told, plan, record.screens, policy)
    outcomes = corrected_outcomes(told, floats(plan, "p_fail"), errors)
    units = pa.table({
        "sku_id": plan["sku_id"], "category": plan["category"], "market": plan["market"],
        "found": pa.array(told.found), "failed": pa.array(outcomes.failed), "noise": pa.array(outcomes.noise),
        "error": pa.array(outcomes.error), "p_fail": plan["p_fail"],
        "inclusion": pa.array(floats(plan, "inclusion_probability") * rate), "exposure": pa.array(_exposure(plan)),
        "screen": pa.array(told.package, pa.string(), mask=~told.screened),
    }).filter(pa.array(told.answered))  # fmt: skip
    reachable = record.strata.filter(pc.greater(record.strata["inclusion"], 0))
    return RoundData(
        record.round_id, _append_foreseen_variance(reachable, plan, rate, errors), units,
        _known_outside(record), len(plan), float((told.answered & ~told.pending).mean()),
    )  # fmt: skip


def _refuse_unknown_chances(round_id: str, plan: pa.Table) -> None:
    name = "inclusion_probability"
    chances = floats(plan, name) if name in plan.column_names else np.zeros(0)
    if not len(plan) or len(chances) != len(plan) or not ((chances > 0) & (chances <= 1)).all():
        raise UserError(
            f"Round {round_id} was not drawn with known inclusion probabilities, so what it found is no prevalence: "
            "tests that follow suspicion overstate it. Draw a round with `touchstone allocate`."
        )


def _strata_names(plan: pa.Table) -> list[str]:
    columns = (plan[name].to_pylist() for name in ("category", "market", "stratum"))
    return [_BETWEEN.join(str(part) for part in parts) for parts in zip(*columns, strict=True)]


def _append_foreseen_variance(strata: pa.Table, plan: pa.Table, rate: Floats, errors: TestErrors) -> pa.Table:
    """The strata with the variances foreseen of their sums, by their units' response and tests.

    A stratum without a drawn unit answers like the average one.
    """
    names, group = np.unique(np.array(_strata_names(plan)), return_inverse=True)
    units = np.bincount(group)
    position = np.searchsorted(names, own := np.array(_strata_names(strata)))
    is_drawn = np.isin(own, names)

    def of_stratum(values: Floats) -> Floats:
        means = np.bincount(group, weights=values) / units
        return np.where(is_drawn, means[np.where(is_drawn, position, 0)], values.mean())

    tests = replace(errors, sensitivity=of_stratum(errors.sensitivity), pass_chance=of_stratum(errors.pass_chance))
    skus, expected, chance, variance, exposure, exposure_variance = (
        floats(strata, name)
        for name in ("skus", "p_fail_sum", "inclusion", "variance", "exposure", "exposure_variance")
    )
    mixed = shrink_to_mean(expected / skus, float(expected.sum() / skus.sum()))
    foreseen = skus * (tests.variance(mixed) / (chance * of_stratum(rate)) - mixed * (1 - mixed))
    square = np.where(variance > 0, exposure_variance / np.where(variance > 0, variance, 1), (exposure / skus) ** 2)
    return strata.append_column("foreseen", pa.array(foreseen)).append_column(
        "exposure_foreseen", pa.array(square * foreseen)
    )


def _known_outside(record: RoundRecord) -> pa.Table:
    """The SKUs outside the frame whose state is known, by their last result: those in test by then have it by now."""
    outside, earlier = record.outside, record.earlier
    last, package, p_fail = (last_values(outside, earlier, name) for name in ("result", "package", "p_fail"))
    usual = float(floats(record.strata, "p_fail_sum").sum() / floats(record.strata, "skus").sum())
    failed, screens, error = list[float | None](), list[str | None](), list[float]()
    for row, before in enumerate(outside["failed"].to_pylist()):
        state = {"fail": 1.0, "pass": 0.0}.get(str(last[row]), None if before is None else float(before))
        screen = record.screens.get(str(package[row])) if last[row] == "pass" else None
        slope = 0.0
        if screen is not None:
            chance = usual if p_fail[row] is None else float(p_fail[row])
            expected, higher = (
                float(chance_to_fail_after_pass(chance, min(each, 1.0)))
                for each in (screen.value, screen.value + screen.spread)
            )
            state = min(expected * screen.hidden_ratio, 1.0)
            slope = max(expected - higher, expected * screen.hidden_error)
        failed.append(state)
        screens.append(screen.screen if screen else None)
        error.append(slope)
    table = pa.table({
        "sku_id": outside["sku_id"], "category": outside["category"], "market": outside["market"],
        "exposure": pa.array(_exposure(outside)), "failed": pa.array(failed, pa.float64()),
        "screen": pa.array(screens, pa.string()), "error": pa.array(error, pa.float64()),
    })  # fmt: skip
    return table.filter(pc.is_valid(table["failed"]))


def _exposure(table: pa.Table) -> Floats:
    return np.nan_to_num(floats(table, "exposure")) if "exposure" in table.column_names else np.ones(len(table))
