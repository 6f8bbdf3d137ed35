"""Past testing of the sample marketplace: monthly rounds that follow suspicion, with a random share."""

from dataclasses import dataclass, field

import numpy as np

from data.synthetic.ground_truth import World, p_fail_before, p_fail_given
from data.synthetic.randomness import NEVER, Floats, Integers, Truths, logistic, pick, random_stream
from data.synthetic.vocabulary import categories, per_category

STRATEGIES = ("random", "model", "rule", "mandatory", "follow_up")
RANDOM, MODEL, RULE, MANDATORY, FOLLOW_UP = range(5)
MYSTERY, WAREHOUSE, CUSTOMS, COMPLAINT, SUPPLIED = range(5)
ROUND_DAYS = 30
TESTED_A_MONTH = 0.0275
RANDOM_SHARE = 0.130
MANDATORY_SHARE, FOLLOW_UP_SHARE, GOLDEN_SHARE = 0.05, 0.20, 0.09
INCONCLUSIVE = 0.02
HUNCH = 0.8
ORIGIN_SHARES = {RANDOM: (0.7, 0.3, 0.0, 0.0), MODEL: (0.6, 0.25, 0.08, 0.07)}


@dataclass(frozen=True)
class SampledTests:
    """Samples drawn: listing rows, the day, why (strategy code, -1 for none), with which probability and from where.

    `failed` is the laboratory's finding, `p_fail` and `p_prior` its probability after and before the coin.
    """

    row: Integers
    day: Integers
    known: Integers
    strategy: Integers
    propensity: Floats
    origin: Integers
    failed: Truths
    inconclusive: Truths
    p_fail: Floats
    p_prior: Floats

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True)
class _Samples:
    """Samples drawn for testing: listing row, day, strategy code, logged propensity and origin code, one each."""

    row: Integers
    day: Integers
    strategy: Integers
    propensity: Floats
    origin: Integers


@dataclass(frozen=True)
class Remediations:
    """Corrective actions: the supplier and product, the days opened and verified (or NEVER), whether it worked."""

    supplier: Integers
    product: Integers
    opened: Integers
    verified: Integers
    effective: Truths


@dataclass
class LabTestingHistory:
    """All rounds: tests, corrective actions, and per product the day it was mended (or NEVER)."""

    mended_on: Integers
    tests: list[SampledTests] = field(default_factory=list)
    remediations: list[Remediations] = field(default_factory=list)


@dataclass
class _Knowledge:
    """An officer's knowledge when a round starts: a hunch per listing, failures and the last test per product."""

    hunch: Floats
    supplier_failures: Floats
    product_failures: Floats
    last_tested: Integers


def concatenate_tests(parts: list[SampledTests]) -> SampledTests:
    """All tests in one record."""
    return SampledTests(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in SampledTests.__dataclass_fields__)
    )


def simulate_testing(world: World) -> LabTestingHistory:
    """Every test of the period: monthly rounds in order, as suspicion follows the failures known by then."""
    rng = random_stream(world.seed, "tests")
    history = LabTestingHistory(np.full(len(world.products), NEVER))
    knowledge = _Knowledge(
        hunch=rng.standard_normal(len(world.listings)) * HUNCH,
        supplier_failures=np.zeros(len(world.suppliers)),
        product_failures=np.zeros(len(world.products)),
        last_tested=np.full(len(world.products), -NEVER),
    )
    for first in range(world.period.start, world.period.until + 1, ROUND_DAYS):
        last = min(first + ROUND_DAYS - 1, world.period.until)
        for earlier in history.tests:
            _count_known_failures(world, knowledge, earlier, first)
        tests = _simulate_round(rng, world, knowledge, history, range(first, last + 1))
        knowledge.last_tested[world.listings.product[tests.row]] = tests.day
        history.tests.append(tests)
        _draw_remediations(rng, world, history, tests)
    history.tests.append(_draw_golden_samples(rng, world, history))
    return history


def _count_known_failures(world: World, knowledge: _Knowledge, tests: SampledTests, today: int) -> None:
    """Count the failures whose reports came in during the month before `today`."""
    news = tests.failed & ~tests.inconclusive & (tests.known < today) & (tests.known >= today - ROUND_DAYS)
    product = world.listings.product[tests.row[news]]
    np.add.at(knowledge.product_failures, product, 1.0)
    np.add.at(knowledge.supplier_failures, world.products.supplier[product], 1.0)


def _simulate_round(
    rng: np.random.Generator,
    world: World,
    knowledge: _Knowledge,
    history: LabTestingHistory,
    days: range,
) -> SampledTests:
    """One month: a random share, a targeted share, the mandatory first tests and the follow-ups."""
    first, month = days.start, len(days) / ROUND_DAYS
    listed = world.listings.listed < first
    size = max(1, int(listed.sum()))
    at_random = TESTED_A_MONTH * RANDOM_SHARE * month
    targeted = _targeting_weights(world, knowledge, first) * listed
    targeted *= TESTED_A_MONTH * (1 - RANDOM_SHARE) * month * size / max(targeted.sum(), 1e-9)
    targeted = np.minimum(targeted, 0.4)
    chance = rng.random(len(listed))
    random_rows = np.flatnonzero(listed & (chance < at_random))
    targeted_rows = np.flatnonzero(listed & (chance >= at_random) & (chance < at_random + targeted))
    mandatory = per_category([float(category.mandatory) for category in categories()])
    category = world.products.category[world.listings.product]
    new = listed & (world.listings.listed >= first - ROUND_DAYS) & (mandatory[category] > 0)
    mandatory_rows = np.flatnonzero(new & (chance > 1 - MANDATORY_SHARE))
    follow_rows = _draw_follow_ups(rng, history, first)
    rows = np.concatenate([random_rows, targeted_rows, mandatory_rows, follow_rows])
    split = np.where(rng.random(len(targeted_rows)) < 0.5, MODEL, RULE)
    strategy = np.concatenate([np.full(len(random_rows), RANDOM), split, np.full(len(mandatory_rows), MANDATORY),
                               np.full(len(follow_rows), FOLLOW_UP)])  # fmt: skip
    propensity = np.concatenate([np.full(len(random_rows), at_random), targeted[targeted_rows] / 2,
                                 np.full(len(mandatory_rows), MANDATORY_SHARE),
                                 np.full(len(follow_rows), FOLLOW_UP_SHARE)])  # fmt: skip
    at_random_origin = pick(rng, ORIGIN_SHARES[RANDOM], len(rows))
    origin = np.where(strategy == RANDOM, at_random_origin, pick(rng, ORIGIN_SHARES[MODEL], len(rows)))
    day = first + (rng.random(len(rows)) * len(days)).astype(np.int64)
    return _test_samples(rng, world, history, _Samples(rows, day, strategy, propensity, origin))


def _targeting_weights(world: World, knowledge: _Knowledge, today: int) -> Floats:
    """The relative propensity of each listing: suspicion, price, category risk and failures known so far."""
    rows = np.arange(len(world.listings))
    quarter = int(world.period.quarter_of(np.array(today)))
    product = world.listings.product
    risk = per_category([category.prevalence["technical"] for category in categories()])
    failures = np.minimum(knowledge.supplier_failures[world.products.supplier[product]], 3)
    rest = np.where(today - knowledge.last_tested[product] < 365, -2.5, 0.0)
    return np.asarray(np.exp(
        0.25 * (world.margin(rows, quarter) + 2)
        + knowledge.hunch
        + 1.2 * risk[world.products.category[product]]
        + 0.15 * np.log(world.products.price_eur[product] / 10)
        + 0.30 * failures
        + 0.10 * np.minimum(knowledge.product_failures[product], 2)
        + rest
    ))  # fmt: skip


def _draw_follow_ups(rng: np.random.Generator, history: LabTestingHistory, today: int) -> Integers:
    """Listings to be tested once more, as a failure became known in the month before."""
    if not history.tests:
        return np.zeros(0, dtype=np.int64)
    earlier = concatenate_tests(history.tests[-3:])
    due = earlier.failed & ~earlier.inconclusive & (earlier.known < today) & (earlier.known >= today - ROUND_DAYS)
    rows = np.unique(earlier.row[due & (earlier.strategy != FOLLOW_UP)])
    return rows[rng.random(len(rows)) < FOLLOW_UP_SHARE]


def _test_samples(
    rng: np.random.Generator, world: World, history: LabTestingHistory, samples: _Samples
) -> SampledTests:
    """The laboratory's results of these samples."""
    rows, day, origin = samples.row, samples.day, samples.origin
    product = world.listings.product[rows]
    quarter = world.period.quarter_of(day)
    mended = history.mended_on[product] <= day
    state = world.non_compliant(rows, quarter) & ~mended
    p_technical = np.where(mended, 0.0, world.p_technical(rows, quarter))
    p_fail = p_fail_given(state, world.products.batch_share[product], origin)
    return SampledTests(
        row=rows,
        day=day,
        known=day + rng.integers(14, 46, len(rows)),
        strategy=samples.strategy,
        propensity=samples.propensity,
        origin=origin,
        failed=rng.random(len(rows)) < p_fail,
        inconclusive=rng.random(len(rows)) < INCONCLUSIVE,
        p_fail=p_fail,
        p_prior=p_fail_before(p_technical, origin),
    )


def _draw_golden_samples(rng: np.random.Generator, world: World, history: LabTestingHistory) -> SampledTests:
    """Samples that suppliers sent in themselves, in the months after listing."""
    mandatory = per_category([1.0 + float(category.mandatory) for category in categories()])
    share = GOLDEN_SHARE * mandatory[world.products.category[world.listings.product]]
    day = world.listings.listed + rng.integers(1, 91, len(world.listings))
    inside = (day >= world.period.start) & (day <= world.period.until)
    rows = np.flatnonzero(inside & (rng.random(len(day)) < share))
    size = len(rows)
    missing = (np.full(size, -1), np.full(size, np.nan), np.full(size, SUPPLIED))
    return _test_samples(rng, world, history, _Samples(rows, day[rows], *missing))


def _draw_remediations(rng: np.random.Generator, world: World, history: LabTestingHistory, tests: SampledTests) -> None:
    """Open corrective actions after failures; an effective one mends the product from its verification on."""
    failed = np.flatnonzero(tests.failed & ~tests.inconclusive)
    remediated = failed[rng.random(len(failed)) < 0.6]
    product = world.listings.product[tests.row[remediated]]
    supplier = world.products.supplier[product]
    opened = tests.known[remediated] + rng.integers(1, 8, len(remediated))
    verified = np.where(rng.random(len(remediated)) < 0.65, opened + rng.integers(20, 121, len(remediated)), NEVER)
    quality = world.suppliers.quality[supplier, 0]
    effective = rng.random(len(remediated)) < logistic(0.4 - 0.6 * quality)
    mended = effective & (verified <= world.period.until)
    np.minimum.at(history.mended_on, product[mended], verified[mended])
    history.remediations.append(Remediations(supplier, product, opened, verified, effective))
